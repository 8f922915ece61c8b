datasets-title = Datasets
datasets-about = Chest X-rays of your organisation. They stay within it: what is shared with others is distilled from them.
datasets-new = New dataset
datasets-ask-steward = Ask a data steward of your organisation to make a dataset and upload its images.
datasets-none = No dataset yet
datasets-none-about = Upload chest X-rays of your own, or begin with a sample cohort that the portal draws.
datasets-sample-button = Draw the sample cohort
datasets-sample-about = The sample cohort is drawn by the portal in a minute or two: 600 X-ray-like images in four classes, and no patients. Nothing that is learned from it holds for people.
note-sample-there = Your organisation has this sample cohort already.
note-dataset-deleted = The dataset is deleted, with its archive and its images. Finished reports and bundles were kept.

dataset-name = Name
dataset-status = Status
dataset-version = Version
dataset-images = Images
dataset-size = Archive
dataset-created = Made
dataset-classes = Classes
dataset-image-size = Kept as
dataset-description = Description
pixels = { $side } × { $side } pixels

dataset-new-title = New dataset
dataset-new-about = Give it a name first. The archive with the images comes next.
dataset-name-help = Your organisation sees it, and nobody else. No word that tells who a patient is.
dataset-description-help = Where the images come from, which period, which devices. You may leave it empty.
dataset-new-button = Make it, and choose the archive
dataset-follows = This will be the next version of { $name }, version { $version }. That one stays as it is, with everything that was distilled from it.
dataset-follows-not = Make a dataset of its own instead
dataset-no-images = No images at hand?

dataset-is-sample = This is the sample cohort. The portal has drawn every image: no patient is in it. Distillations of it are for trying out, and cannot be shared.
dataset-rejected-next = What you uploaded is kept until another archive takes its place. Mend the archive as it says here, and upload it again below.
dataset-sample-rejected-next = Draw another one from the page of a new dataset. If that fails too, tell the operator.
dataset-distill = Distill it
dataset-next-version = Make the next version
dataset-splits-about = Networks learn from the training images, the best iteration is chosen on the validation images, and the test images are looked at once, at the end. A split that the archive's folders state is kept.
class-name = Class
split-train = Training
split-validation = Validation
split-test = Test
split-all = In all
dataset-pictures = Pictures
dataset-pictures-about = Some training images of each class, so that you see that the right archive arrived. That you looked is written to the audit log.
dataset-pictures-alt = Up to 24 small training images of the class { $name }
dataset-versions = Versions
dataset-versions-older = Older versions
dataset-version-n = Version { $n }

quality-title = What the check found
quality-used = { $n ->
    [one] One image is used.
   *[other] { $shown } images are used.
 }
quality-left-out = { $n ->
    [one] One file was left out, for this reason:
   *[other] { $shown } files were left out, for these reasons:
 }
quality-nothing-left-out = No file was left out.
quality-changes = Compared with the version before: { $added } images came, { $removed } left, { $kept } stayed.
quality-relabelled = { $n ->
    [one] One image is in another class now.
   *[other] { $shown } images are in another class now.
 }
quality-ignored = Files that were not looked at
files-count = { $n ->
    [one] one file
   *[other] { $shown } files
 }
findings-all-of-code = All { $shown } files
findings-search-link = Look for a file by its name
findings-title = Files that were left out
findings-about = Names may tell who a patient is: they are shown to your organisation alone, and what you look for is kept nowhere.
findings-reason = Reason
findings-any = Any reason
findings-text = Part of the name
findings-button = Look for it
findings-file = File
findings-page = page { $page } of { $pages }
findings-before = Page before
findings-after = Next page
findings-none-fit = No file that was left out fits. It may be in use, or the archive did not hold it.
findings-none = No file was left out
findings-none-about = Every image of the archive is used, or nothing was checked yet.

check-title = The archive is being checked
check-leave = You may leave this page, or close it: the check goes on.
check-reload = Load this page again to see how far it is
check-waiting = Waiting for a worker.
check-waiting-about = It begins as soon as one is free. If this lasts for minutes, ask the operator whether workers run.
check-removing = Taking the withdrawn files out of the archive…
check-drawing = Drawing the images…
check-fetching = Fetching the archive…
check-reading = Reading the images:
check-storing = Storing what was found…
check-of = { $done } of { $total }
check-of-files = { $done } of { $total } files
check-step-waiting = Wait for a worker
check-step-removing = Take files out
check-step-drawing = Draw the images
check-step-fetching = Fetch the archive
check-step-reading = Read every image, strip what tells of patients, find duplicates
check-step-storing = Store the images and the findings
check-step-is-done = (done)

lineage-title = What came of it
lineage-nothing = Nothing was distilled from it yet.
lineage-distillations = Distillations
lineage-distillation = { $n ->
    [one] One image per class
   *[other] { $n } images per class
 }
lineage-concerned = images were withdrawn since
lineage-all-distillations = All distillations of it
lineage-releases = Releases
lineage-release = Release
lineage-recipients = Recipients
lineage-trajectories = Sets of teachers
lineage-downloaded = has downloaded it
lineage-has-access = may download it

dataset-end = Withdraw or delete
dataset-end-delete = Delete
dataset-end-ask-steward = A data steward of your organisation can withdraw patients' images, or delete the dataset.
dataset-delete = Delete this dataset
dataset-delete-removes = This removes the archive, the images, the findings, the teachers that were trained on them, and whatever of its distillations is not finished. Finished reports, bundles and releases are kept. Nobody can bring it back.
dataset-delete-button = Delete the dataset
dataset-delete-later = While it is being checked it can be neither changed nor deleted. Come back when the check is over.
