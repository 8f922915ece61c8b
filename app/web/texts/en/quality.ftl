accounting = The archive has { $entries } entries: { $accepted } accepted, { $refused } refused, { $ignored } ignored.
accounting-accepted = Accepted
accounting-refused = Refused
accounting-ignored = Ignored

cards-title = Findings
cards-about = What may harm a model that learns from these images, or what is shared. Decide about each: change the images, or accept them as they are.
cards-accepted = Accepted findings
cards-ask-steward = A data steward of your organisation decides about the findings.
cards-fixed = The images cannot change any more: they were distilled already, or an earlier version of the portal read them. You can accept findings. To change images, upload the archive as the next version, or withdraw files.
severity-hold = holds a release
severity-warn = warning
severity-info = note
severity-accepted = accepted
finding-count-files = { $n ->
    [one] one file
   *[other] { $shown } files
 }
finding-count-pairs = { $n ->
    [one] one pair
   *[other] { $shown } pairs
 }
finding-count-patients = { $n ->
    [one] one patient
   *[other] { $shown } patients
 }
finding-count-classes = { $n ->
    [one] one class
   *[other] { $shown } classes
 }
finding-count-rows = { $n ->
    [one] one row
   *[other] { $shown } rows
 }
finding-more = { $n ->
    [one] and one more
   *[other] and { $shown } more
 }
finding-picture-alt = Some of the images of the finding “{ $title }”
pair-alt = { $first } and { $second }, side by side
pair-alike = Correlation { $value }
pair-more = { $n ->
    [one] One more pair is alike.
   *[other] { $shown } more pairs are alike.
 }
pair-picture = Show a picture of the first twelve pairs

decide-leave-out = Leave out
decide-leave-out-sure = { $n ->
    [one] This leaves out one of { $images } images.
   *[other] This leaves out { $shown } of { $images } images.
 }
decide-pair = Of each pair, one image stays.
decide-leave-out-button = { $n ->
    [one] Leave out one image
   *[other] Leave out { $shown } images
 }
decide-turn = Turn black and white
decide-turn-sure = { $n ->
    [one] This swaps dark and bright in one of { $images } images.
   *[other] This swaps dark and bright in { $shown } of { $images } images.
 }
decide-turn-button = { $n ->
    [one] Turn one image
   *[other] Turn { $shown } images
 }
decide-merge = Merge classes
decide-merge-which = These classes
decide-merge-class = { $n ->
    [one] { $name } (one image)
   *[other] { $name } ({ $shown } images)
 }
decide-merge-into = become part of
decide-merge-choose = Choose a class
decide-merge-sure = All images of the ticked classes then belong to the chosen class.
decide-merge-button = Merge the classes
decide-again = The dataset is then composed and checked again, and images can move to another split.
decide-accept = Accept as it is
decide-accept-sure = The images stay as they are. The finding stays in the report, as accepted.
decide-accept-hold = The images stay as they are, and this finding no longer holds a release. Accept it only after you have looked at the images: what is released cannot be called back.
decide-accept-button = Accept the finding
note-finding-decided = The decision is stored. The dataset is composed and checked again.
note-finding-accepted = The finding is accepted.
decided-reset = Take all decisions back
decided-title = Decided so far:
decided-left-out = { $n ->
    [one] one image is left out.
   *[other] { $shown } images are left out.
 }
decided-turned = { $n ->
    [one] One image is turned.
   *[other] { $shown } images are turned.
 }
decided-merged = { $names } is part of { $into }.

holds-title = { $n ->
    [one] One finding holds every release of this dataset
   *[other] { $n } findings hold every release of this dataset
 }
holds-about = You can distill the dataset, and release nothing of it until somebody has decided about this.
holds-ask-steward = You can distill the dataset. Nothing of it can be released until a data steward has decided about this.

split-by-given = This split is as the archive states it.
split-by-patient = The portal split the images by patient: all images of a patient are in one split.
split-by-near-duplicates = The portal split the images by near-duplicates: the archive names no patients, so images that are nearly the same are kept in one split. Different images of one patient may still be in two.
split-by-not-known = If the archive’s folders define a split, that split is kept.
dataset-split-by = Split
split-by-short-given = as the archive states
split-by-short-patient = by patient
split-by-short-near-duplicates = by near-duplicates
dataset-patients = Patients

set-charts-title = Charts
set-chart-balance = Class balance
set-chart-balance-about = { $most } is the largest class, { $times } times as large as { $least }.
set-chart-sizes = Sizes of the images
set-chart-sizes-about = Width × height in pixels as the archive has them. The dataset stores them at { $side } × { $side }.
set-chart-size = Size
set-chart-size-other = other sizes
set-chart-brightness = Brightness
set-chart-brightness-about = Mean grey of each image, by class. Where classes differ clearly, a model may learn the device instead of the disease.
set-chart-brightness-alt = { $name }: mean greys from { $darkest } to { $brightest }, of 255
set-chart-dark = dark
set-chart-bright = bright
set-chart-grey = Mean grey
set-chart-table = The numbers as a table

archive-was-deleted = The archive was deleted once its images were read: its headers and file names are gone.
archive-is-kept = The archive is kept.
archive-is-searched = The archive is deleted once its images were searched for burned-in text.
archive-will-be-deleted = The archive is deleted in a moment: its images were read.

hold-text-in-picture = Text in pictures
hold-text-not-scanned = Pictures that were not searched for burned-in text yet
holds-texts = Look at the texts
texts-title = Text in pictures
texts-about = Text that is burned into a picture may name a patient, and a model may copy it into what is shared. Markers such as L, R, AP and PORTABLE are not listed. The text itself is not stored; the audit log records that you looked.
texts-undecided = { $n ->
    [0] Every picture is decided.
    [one] One picture waits for a decision.
   *[other] { $shown } pictures wait for a decision.
 }
texts-later = The dataset is being checked. You can decide when it is ready.
texts-picture-alt = { $name }, with the text outlined
texts-decided-keep = text stays
texts-decided-blank = text is painted black
texts-decided-leave-out = left out
texts-not-yet = Decide later
texts-as-it-is = No change
texts-choose-keep = Keep: it names nobody
texts-choose-blank = Paint the outlined boxes black
texts-choose-leave-out = Leave the picture out
texts-all = For all others on this page
texts-all-none = Decide later
texts-again = To paint or leave out pictures composes and checks the dataset again.
texts-button = Store these decisions
texts-none = No text was found
texts-none-about = Every picture was searched. Text that is very small or faint can be missed: look at the image samples too.
texts-waiting = The search for text waits for a worker. Nothing can be released before it is over.
texts-scanning = { $done } of { $total } pictures were searched for text. Nothing can be released before the search is over. You can leave this page.
texts-bar = Search for text
texts-failed = The search for text failed. Nothing of this dataset can be released before every picture was searched.
texts-search-again-about = The archive is kept. The search goes on where it stopped. If it fails again, give the operator the id of this dataset.
texts-search-again-button = Search again
texts-search-ask-steward = The archive is kept. A steward can start the search again.
texts-archive-gone = The archive is gone, so that the search cannot be repeated. Upload the archive again as the next version.
note-texts-searched-again = The search for text goes on as soon as a worker is free.
texts-not-scanned = The pictures of this dataset were not searched for text: the portal generated them, an earlier version of the portal read them, or the operator has switched the search off.
note-texts-decided = The decisions are stored.
