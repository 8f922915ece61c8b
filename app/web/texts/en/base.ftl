# What every page has, and words that several pages share.
brand = IADD Exchange
research-use = For research use. Not a medical device.
skip-to-content = Skip to the content
network-lost = No connection to the portal. What you sent last may not have arrived; what you typed is still here. Trying again…
network-back = The connection is back.

service-drained = The service is being updated since
service-drained-about = Running jobs were stopped at a checkpoint. They and new ones wait, and go on by themselves afterwards.
nav-main = Main
nav-menu = Menu
nav-crumbs = Breadcrumb
nav-home = Home
nav-datasets = Datasets
nav-distillations = Distillations
nav-catalogue = Catalogue
nav-releases = Releases
nav-requests = Requests
nav-audit = Audit log
nav-organisation = Organisation
nav-operations = Operations
nav-guide = First distillation
nav-glossary = Glossary

older = Older
copy = Copy
email = E-mail address
password = Password
your-name = Your name
confirm-by-name = To confirm, type { $name }

problem-home = Go to the home page
sign-in-again-elsewhere = Sign in again in a new tab, then come back and send this again

role-steward = Data steward: uploads datasets and decides what is released
role-researcher = Researcher: distills, reads reports, uses what others share
role-admin = Admin: manages people, tokens and keys, and everything within the organisation
role-auditor = Auditor: reads the audit log
role-operator = Operator: runs the portal

status-awaiting-upload = waiting for upload
status-checking = checking
status-awaiting-mapping = waiting for layout
status-ready = ready
status-rejected = rejected
status-queued = waiting
status-teaching = training teachers
status-distilling = distilling
status-evaluating = evaluating
status-auditing = testing privacy
status-packaging = packing
status-failed = failed
status-cancelled = cancelled
status-published = published
status-superseded = superseded
status-withdrawn = withdrawn
status-requested = waiting for a decision
status-returned = returned
status-granted = granted
status-denied = denied
status-revoked = revoked
status-expired = expired
