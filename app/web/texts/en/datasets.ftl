datasets-title = Datasets
datasets-about = Chest X-rays of your organisation. They stay within it: what is shared with others is distilled from them.
datasets-new = New dataset
datasets-ask-steward = Ask a data steward of your organisation to create a dataset and upload its images.
datasets-none = No dataset yet
datasets-none-about = Upload your own chest X-rays, or begin with a sample cohort that the portal generates.
datasets-sample-button = Generate sample cohort
datasets-sample-about = The portal generates the sample cohort in a minute or two: 600 X-ray-like images in four classes, and no patients. Nothing that is learned from it is valid for people.
note-sample-there = Your organisation already has this sample cohort.
note-dataset-deleted = The dataset is deleted, with its archive and its images. Finished reports and bundles were kept.

dataset-name = Name
dataset-status = Status
dataset-version = Version
dataset-images = Images
dataset-size = Archive
dataset-created = Created
dataset-classes = Classes
dataset-image-size = Stored size
dataset-description = Description
pixels = { $side } × { $side } pixels

dataset-new-title = New dataset
dataset-new-about = Name the dataset first. Then choose the archive with the images.
dataset-name-help = Only your organisation sees the name. Do not write anything that identifies a patient.
dataset-description-help = Where the images come from, which period, which devices. Optional.
dataset-new-button = Create and choose archive
dataset-follows = This will be the next version of { $name }, version { $version }. The present version stays as it is, with everything that was distilled from it.
dataset-follows-not = Create a separate dataset instead
dataset-no-images = No images yet?

dataset-is-sample = This is the sample cohort. The portal generated every image: no patient is in it. Distillations of it are for trying out and cannot be shared.
dataset-rejected-next = Your upload is kept until another archive replaces it. Fix the problems listed here, then upload the archive again below.
dataset-rejected-again = The archive was deleted after its images were read. Fix the problems listed here, then upload the archive again below.
dataset-sample-rejected-next = Generate another sample cohort from the “New dataset” page. If that fails too, contact the operator.
dataset-distill = Distill this dataset
dataset-next-version = Create next version
dataset-splits-about = Networks learn from the training images. The best iteration is chosen on the validation images. The test images are used once, at the end.
class-name = Class
split-train = Training
split-validation = Validation
split-test = Test
split-all = Total
dataset-pictures = Image samples
dataset-pictures-about = Some training images of each class, so that you can check that the right archive arrived. The audit log records that you viewed them.
dataset-pictures-alt = Up to 24 small training images of the class { $name }
dataset-versions = Versions
dataset-versions-older = Older versions
dataset-version-n = Version { $n }

quality-title = Quality report
quality-used = { $n ->
    [one] One image is used.
   *[other] { $shown } images are used.
 }
quality-left-out = { $n ->
    [one] One file was left out, for this reason:
   *[other] { $shown } files were left out, for these reasons:
 }
quality-nothing-left-out = No file was left out.
quality-changes = Compared with the previous version: { $added } images added, { $removed } removed, { $kept } unchanged.
quality-relabelled = { $n ->
    [one] One image is in another class now.
   *[other] { $shown } images are in another class now.
 }
quality-ignored = Files that were not checked
files-count = { $n ->
    [one] one file
   *[other] { $shown } files
 }
findings-all-of-code = All { $shown } files
findings-search-link = Search for a file by name
findings-title = Files that were left out
findings-about = File names may identify a patient. Only your organisation sees them, and your search is not stored.
findings-reason = Reason
findings-any = Any reason
findings-text = Part of the file name
findings-button = Search
findings-file = File
findings-page = page { $page } of { $pages }
findings-before = Previous page
findings-after = Next page
findings-none-fit = No file that was left out matches. The file may be in use, or the archive did not contain it.
findings-none = No file was left out
findings-none-about = Every image of the archive is used, or nothing was checked yet.

check-again-about = What was uploaded is kept: have it checked again, or upload another archive below.
check-cancel-button = Cancel the check
note-check-cancelled = The check stops within seconds. The archive is kept.
check-again-button = Check again
check-title = Checking the archive
check-leave = You can leave or close this page: the check continues.
check-reload = Reload this page to see the progress
check-waiting = Waiting for a worker.
check-waiting-about = The check starts as soon as a worker is free. If this takes several minutes, ask the operator whether workers are running.
check-removing = Removing the withdrawn files from the archive…
check-drawing = Generating the images…
check-fetching = Fetching the archive, or the images that were read before…
check-listing = Listing the archive’s folders and tables:
check-reading = Reading the images:
check-comparing = Comparing the images with each other:
check-storing = Storing the images and the quality report…
check-of = { $done } of { $total }
check-of-files = { $done } of { $total } files
check-step-waiting = Wait for a worker
check-step-removing = Remove files
check-step-drawing = Generate the images
check-step-fetching = Fetch the archive, or the images that were read before
check-step-listing = List folders and tables, and find out which is the class
check-step-reading = Read every image, strip patient information
check-step-comparing = Find duplicates, near-duplicates and odd images; split
check-step-storing = Store the images and the quality report
check-step-is-done = (done)

ledger-title = Privacy spent
ledger-unspent = No distillation under differential privacy has read these images yet.
ledger-not-covered =
    { $count ->
        [one] One distillation without a proof, or training, read them exactly
       *[other] { $count } distillations without a proof, or trainings, read them exactly
    }: what is shared of that is not covered by ε.
ledger-about = Every read of these images by distillations and trainings, on all versions of the dataset. Nothing is ever taken out, also when a distillation is deleted: whoever chooses a set may have seen the others.
ledger-spent = All runs together have spent ε = { $epsilon } at δ = { $delta }.
ledger-unbounded = A read was booked without noise: nothing is bounded any more.
ledger-purpose = Read
ledger-kind = Kind
ledger-run = Run
ledger-count = Times
ledger-last = Last
ledger-kind-budgeted = with noise
ledger-kind-public = public
ledger-kind-fatal = exact
lineage-title = Results
lineage-nothing = Nothing was distilled from this dataset yet.
lineage-distillations = Distillations
lineage-distillation = { $n ->
    [one] One image per class
   *[other] { $n } images per class
 }
lineage-concerned = images were withdrawn since
lineage-all-distillations = All distillations of this dataset
lineage-releases = Releases
lineage-release = Release
lineage-recipients = Recipients
lineage-trajectories = Sets of teachers
lineage-downloaded = has downloaded it
lineage-has-access = can download it

dataset-end = Withdraw or delete
dataset-end-delete = Delete
dataset-end-ask-steward = A data steward of your organisation can withdraw patients’ images or delete the dataset.
dataset-delete = Delete this dataset
dataset-delete-removes = This deletes the archive, the images, the quality report, the teachers that were trained on the images, and every unfinished distillation. Finished reports, bundles and releases are kept. This cannot be undone.
dataset-delete-button = Delete dataset
dataset-delete-later = You cannot change or delete the dataset while it is being checked. Come back when the check has finished.
