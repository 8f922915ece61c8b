# Releases: own ones, one of anybody's, their utility, privacy and access.
releases-title = Releases
releases-about = What your organisation shares: distilled images with their report, terms and signature. Others see them in the catalogue; you decide who gets access.
releases-waiting = Open requests
releases-empty = No release yet
releases-empty-hub = Your hospital’s own portal shares releases with this hub. They appear here as soon as they arrive.
releases-empty-about = A release begins with a finished distillation. Its report shows the utility and the privacy tests; then a data steward decides.
releases-to-distillations = Open distillations
releases-ask-steward = Only a data steward or an admin can release. Ask one of them in your organisation.

release-name = Release
release-version = Version
release-status = Status
release-since = Released
release-downloads = Downloads
release-classes = Classes
release-picture = Distilled image { $number } of { $title }
release-superseded = A newer version replaces this release:
release-touched = Some images that this release was distilled from were withdrawn since. Its owner leaves it published: decide whether you continue to use it, and look for a newer version.
release-utility = Utility
release-override = The release policy of the owner objected to this set. Two people decided to release it nevertheless. Their reason: “{ $reason }”
release-utility-about = Networks trained on these images were tested on real images of the owner that no network had seen.
release-utility-compared = For comparison: networks trained on as many random real images, and on all real images.
release-utility-noisy = The figure is noisy, and others are not shown: each exact one would tell something of single patients.
release-privacy = Privacy
release-metrics = { $count ->
    [one] Show one metric
   *[other] Show { $count } metrics
}
release-content = Contents
release-no-pictures = The owner shows the images only to organisations with access.
release-card = Dataset card
release-terms = Terms of use
release-signature = Signature
release-signature-about = The bundle is signed by { $organisation }. Ask them for the fingerprint of their key in another way, for example by phone, and compare it. Then nobody, not even this portal, can give you something else in their name.
release-contact = Contact
release-citation = Cite as
release-versions = Versions

card-by = { $organisation } · version { $number }
card-embargo = embargo until
card-size = { $images ->
    [one] One image
   *[other] { $images } images
}, { $per } per class, { $pixels } × { $pixels } pixels, { $modality }

utility-caption = Balanced accuracy of networks trained on
utility-caption-noisy = Accuracy, with the noise of differential privacy, of networks trained on
utility-distilled = these images
utility-start = their start, not distilled
utility-random = random real images
utility-full = all real images
utility-noisy = these images
utility-images = ({ $count })
utility-unknown = The utility was not measured.

verdict-word-refuted = Leak detected.
verdict-word-inconclusive = Inconclusive.
verdict-word-not-refuted = No leak detected (limited tests).
verdict-word-proven = Privacy proven.
verdict-says-refuted = Verdict “refuted”: an attack worked, or a copy of a real image was found. It is not released.
verdict-says-inconclusive = Verdict “inconclusive”: no attack that was tried worked, but too little was measured to exclude a leak above the limit.
verdict-says-not-refuted = Verdict “not refuted”: no attack that was tried worked. This is a measurement, not a proof: an attack that was not tried may still work.
verdict-says-proven = Differential privacy limits what anybody can learn about one image or patient; the report states the limit.
verdict-link = What this means
certificate-link = Read the privacy certificate
certificate-pdf = as PDF
certificate-about = It answers what an attacker could learn, with what probability, and how that is known.

metric-name = Metric
metric-outcome = Outcome
metric-found = Finding
metric-passed = passed
metric-refused = refused
metric-no-power = no power
metric-warned = warned
attack-name = Membership attack
attack-found = Found
attack-interval = 95% interval
attack-at = at { $rate } false alarms
attack-refuted = leak found
attack-inconclusive = inconclusive
attack-not-refuted = below the limit
release-attacks = { $count ->
    [one] Show one attack
   *[other] Show { $count } attacks
}

fact-images = Images
fact-per-class = Per class
fact-pixels = Pixels
fact-modality = Modality
fact-bundle = Bundle
fact-preset = Preset

terms-name-research-only = Research only
terms-name-non-commercial = Non-commercial research only
terms-name-custom = Custom terms of the owner
terms-in-full = Read the full terms
terms-accept-title = Accept the terms
terms-accept-box = I, { $name }, have read these terms and accept them for { $organisation }.
terms-accept-button = Accept the terms

key-fingerprint = Fingerprint of the key
bundle-fingerprint = Fingerprint of the bundle
bundle-sha256 = SHA-256 of the file

access-title = Your access
access-is-none = Your organisation has not requested access.
access-is-requested = Your request is waiting for the owner’s decision. You will be notified.
access-is-returned = The owner returned your request with a question. Change it and send it again.
access-is-denied = Your request was denied. You can request access again with another purpose.
access-is-terms-to-accept = Access is granted. Read and accept the terms; then you can download the release.
access-is-granted = Your organisation has access.
access-is-expired = Your access has expired. Delete your copies as the terms require, or request access again.
access-is-revoked = The owner has revoked your access. Stop using the release and delete your copies, as the terms require.
access-badge-requested = requested
access-badge-returned = returned to you
access-badge-denied = denied
access-badge-terms-to-accept = accept the terms
access-badge-granted = you have access
access-badge-expired = access expired
access-badge-revoked = access revoked
access-until = Until
access-embargo = Under embargo: only the owner can download it before
access-see-request = Open the request
access-change-request = Change the request
access-to-terms = Read and accept the terms
access-ask-researcher = Only a researcher, a data steward or an admin can request access, accept terms and download. Ask one of them in your organisation.
access-download = Download ({ $size })
access-use = How to verify and use the bundle
access-verify-about = Verify the bundle offline. The key here is the one that this portal knows for { $organisation }; ask them for it in another way and compare.
access-load-about = Load it in Python:
access-train = Train here, on your own images and this release

request-purpose = What do you need it for?
request-purpose-help = A few sentences: which question, which model, who works with it. The owner reads them, with your name, { $name }, and your organisation, { $organisation }.
request-send = Request access

owner-requests = Access requests
owner-no-requests = No request yet.
owner-all-requests = All requests
owner-grants = Access
owner-no-grants = Only your organisation has access.
owner-all-grants = All grants
owner-ask-steward = Only a data steward or an admin can grant or revoke access. Ask one of them in your organisation.
owner-distillation = Open its distillation
owner-published-by = Released by { $name }.

downloads-title = Downloads
downloads-none = No other organisation has downloaded it yet.
downloads-none-about = When somebody of another organisation downloads it, you see here who and when.
downloads-all = All { $count } downloads

scores-title = Scores from recipients
scores-about = Other organisations trained networks on this release, tested them on their own images, and signed the score.
scores-newest = These are the newest { $count }.
scores-all = All scores, as JSON
scores-none = No score yet.
scores-accuracy = Balanced accuracy
scores-tested-on = Test images
scores-send-title = Send your score
scores-how = Test the release on your own images, on your own machine; no image leaves it. Then send the file that this command writes:
scores-file = Score file
scores-what = The score contains figures, class names and settings, and no image. It is signed for { $organisation }, and everyone who sees the release sees it.
scores-send = Send the score

release-withdraw-at-home = It was published from your own portal. Withdraw it there: this hub follows within a minute.
release-withdraw-title = Withdraw
release-withdraw-about = Withdraw the release, for example because a patient withdrew consent or an error was found.
release-withdraw-open = Withdraw this release
release-withdraw-removes = From now on nobody can download it. All access ends, open requests are closed, and everyone who has it is told to stop using it and to delete it. The record that it existed, and the reason for the withdrawal, stay visible. This cannot be undone.
release-withdraw-reason = Reason
release-withdraw-reason-help = Everyone can read it. Do not write anything about patients.
release-withdraw-button = Withdraw release

tombstone-title = This release was withdrawn
tombstone-when = Withdrawn
tombstone-about = It can no longer be downloaded. If your organisation has it: stop using it, delete every copy, and confirm that to its owner, as the terms require.
tombstone-owner = It can no longer be downloaded. Everyone who had it was told to stop using it and to delete every copy.
tombstone-successor = Open the release that replaces it
tombstone-contact = Questions: { $contact }
tombstone-withdrawal = Open the withdrawal of the images

party-organisation = Organisation
party-person = Person
when = Time

note-released = Released. Others can see it in the catalogue now.
note-asked = Your request was sent. You will be notified of the decision.
note-granted = Access is granted. The recipient was notified.
note-release-withdrawn = Withdrawn. Everyone who has it was notified.
note-score-sent = Your score was sent and is shown with the release.
