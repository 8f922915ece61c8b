# Releases: own ones, one of anybody's, what it is worth and who may have it.
releases-title = Releases
releases-about = What your organisation shares: distilled images with their report, terms and signature. Others see them in the catalogue; you decide who may have them.
releases-waiting = Requests that wait
releases-empty = Nothing released yet
releases-empty-about = A release begins with a finished distillation. Its report says what it is worth and what it gives away; then a data steward decides.
releases-to-distillations = To the distillations
releases-ask-steward = Releasing takes the role of a data steward or an admin. Ask one of them in your organisation.

release-name = Release
release-version = Version
release-status = Status
release-since = Released
release-downloads = Downloads
release-classes = Classes
release-picture = Distilled image { $number } of { $title }
release-superseded = A newer version has taken its place:
release-touched = Some images that it was distilled from were withdrawn since. Its owner leaves it published: decide whether you go on using it, and look out for a newer version.
release-worth = What it is worth
release-worth-about = Networks that learned from these images were tested on real images of their owner that no network had seen. Beside it: networks that learned from as many random real images, and from all of them.
release-privacy = What it gives away
release-metrics = { $count ->
    [one] One measurement
   *[other] { $count } measurements, one by one
}
release-content = What is in it
release-no-pictures = Its owner shows the images to those who have access.
release-card = In the words of its data steward
release-terms = Terms of use
release-signature = Signature
release-signature-about = The bundle is signed by { $organisation }. Compare the fingerprint of its key with what they tell you by another way, such as the phone. Then nobody, not even this portal, can give you something else in their name.
release-contact = Whom to write to
release-citation = Cite as
release-versions = Versions

card-by = { $organisation } · version { $number }
card-embargo = embargo until
card-size = { $images ->
    [one] One image
   *[other] { $images } images
}, { $per } per class, { $pixels } × { $pixels } pixels, { $modality }

worth-caption = Balanced accuracy of networks that learned from
worth-distilled = these images
worth-random = random real images
worth-full = all real images
worth-images = ({ $count })
worth-unknown = What it is worth was not measured.

verdict-word-refuted = Privacy refuted.
verdict-word-not-refuted = Privacy not refuted.
verdict-word-proven = Privacy proven.
verdict-says-refuted = An attack worked, or a copy of a real image was found. It is not released.
verdict-says-not-refuted = No attack that was tried worked. That is a measurement and no proof: what was not tried may still work.
verdict-says-proven = Differential privacy bounds what anybody can learn about one image or patient; the report says by how much.
verdict-link = What this means

metric-name = Measurement
metric-outcome = Outcome
metric-found = What was found
metric-passed = passed
metric-refused = refused
metric-no-power = had no power

fact-images = Images
fact-per-class = Per class
fact-pixels = Pixels
fact-modality = Kind
fact-bundle = Bundle
fact-preset = Preset

terms-name-research-only = Research only
terms-name-non-commercial = Non-commercial research only
terms-name-custom = In the owner’s own words
terms-in-full = The terms in full
terms-accept-title = Accept the terms
terms-accept-box = I, { $name }, have read these terms and accept them for { $organisation }.
terms-accept-button = Accept the terms

key-fingerprint = Fingerprint of the key
bundle-fingerprint = Fingerprint of the bundle
bundle-sha256 = SHA-256 of the file

access-title = Your access
access-is-none = Your organisation has not asked for it.
access-is-requested = Your request waits for its owner. You are told when it is decided.
access-is-returned = Its owner returned your request with a question. Change it and send it again.
access-is-denied = Your request was denied. You may ask again with another purpose.
access-is-terms-to-accept = Access is granted. Read the terms and accept them; then it can be downloaded.
access-is-granted = Your organisation has access.
access-is-expired = Your access has expired. Delete your copies as the terms say, or ask again.
access-is-revoked = Its owner has revoked your access. Stop using it and delete your copies, as the terms say.
access-badge-requested = asked for
access-badge-returned = returned to you
access-badge-denied = denied
access-badge-terms-to-accept = accept the terms
access-badge-granted = you have access
access-badge-expired = access expired
access-badge-revoked = access revoked
access-until = Until
access-embargo = Under embargo: nobody but its owner downloads it before
access-see-request = See the request
access-change-request = Change the request
access-to-terms = Read and accept the terms
access-ask-researcher = Asking, accepting and downloading takes the role of a researcher, a data steward or an admin. Ask one of them in your organisation.
access-download = Download ({ $size })
access-use = How to check it and use it
access-verify-about = Check it, offline. The key here is what this portal knows of { $organisation }; compare it with what they tell you by another way.
access-load-about = Load it in Python:
access-train = Train here, on your own images and these

request-purpose = What do you need it for?
request-purpose-help = A few sentences: which question, which model, who works with it. Its owner reads them, with your name, { $name }, and your organisation, { $organisation }.
request-send = Ask for access

owner-requests = Who asks
owner-no-requests = Nobody has asked for it yet.
owner-all-requests = All requests
owner-grants = Who may have it
owner-no-grants = Nobody but your organisation.
owner-all-grants = All grants
owner-ask-steward = Deciding who may have it takes the role of a data steward or an admin. Ask one of them in your organisation.
owner-distillation = The distillation it came from
owner-published-by = Released by { $name }.

downloads-title = Downloads
downloads-none = Nobody else has downloaded it yet.
downloads-none-about = As soon as somebody of another organisation downloads it, you see here who and when.
downloads-all = All { $count } downloads

scores-title = What it was worth elsewhere
scores-about = Other organisations tested networks that learned from it on their own images, and signed the result.
scores-newest = These are the newest { $count }.
scores-all = All of them, as the REST API has them
scores-none = Nobody has sent a score yet.
scores-accuracy = Balanced accuracy
scores-tested-on = Test images
scores-send-title = Send your score
scores-how = Test it on your own images, on your own machine; no image leaves it. Then send the file that this writes:
scores-file = The score
scores-what = It holds figures, class names and settings, and no image. It is signed for { $organisation }, and everybody who sees the release sees it.
scores-send = Send the score

release-withdraw-title = Withdraw
release-withdraw-about = Take the release back, for example because a patient withdrew consent or a fault was found.
release-withdraw-open = Withdraw this release
release-withdraw-removes = From now on nobody downloads it. Every access ends, open requests are closed, and whoever has it is told to stop and delete. That it existed, and why it went, stays to be read. This cannot be undone.
release-withdraw-reason = Why
release-withdraw-reason-help = Everybody reads it. No word about patients.
release-withdraw-button = Withdraw it

tombstone-title = This release was withdrawn
tombstone-when = Withdrawn
tombstone-about = It can be downloaded no longer. If your organisation has it: stop using it, delete every copy, and confirm that to its owner, as the terms say.
tombstone-owner = It can be downloaded no longer. Whoever had it was told to stop using it and to delete every copy.
tombstone-successor = Another release took its place
tombstone-contact = Questions: { $contact }
tombstone-withdrawal = The withdrawal behind it

party-organisation = Organisation
party-person = Person
when = When

note-released = Released. Others see it in the catalogue now.
note-asked = Your request was sent. You are told when it is decided.
note-granted = Access is granted. They were told.
note-release-withdrawn = Withdrawn. Whoever has it was told.
note-score-sent = Your score was sent and stands beside the release.
