guide-title = Your first distillation
guide-about = Six steps, a few minutes and no patient’s image: the portal generates the X-rays itself. Afterwards you know what a distillation is, what its report says and what sharing means.
guide-not-yours = This guide is for people who work with datasets
guide-not-yours-about = Your role does not include datasets. Ask an admin of your organisation for the role of researcher, or ask a colleague to show you.
guide-words = Terms are explained in the
guide-now = Next step: { $step }

guide-state-done = done
guide-state-next = next
guide-state-runs = running
guide-state-later = later

guide-draw = Generate the sample cohort
guide-draw-about = 600 synthetic images that look like chest X-rays, in four classes. No pixel comes from a person, so nothing can leak. Nothing that is learned from them is valid for people.
guide-draw-button = Generate sample cohort
guide-draw-others = Only a data steward can create datasets. Ask a data steward of your organisation, or an admin.
guide-dataset-open = Open the dataset
note-sample-drawn = The sample cohort is being generated and checked.

guide-check = Wait for the check
guide-check-about = Every dataset is checked before it is used: which images can be read, which are duplicates, and how large each class is. For this dataset it takes less than a minute once a worker is free.

guide-start = Start a distillation
guide-start-about = The distillation learns two images per class that should teach a network what the 600 images teach. The preset is made for a first try: it takes minutes on any machine, and its figures are not reliable.
guide-start-button = Start distillation
guide-start-others = Only a researcher or a data steward can start a distillation. Ask one of them in your organisation, or an admin.
guide-ended-failed = The previous distillation failed
guide-ended-cancelled = The previous distillation was cancelled
note-first-started = The distillation has started. You can leave this page: it continues.

guide-watch = Follow the progress
guide-watch-about = Teachers are trained and their training is recorded. Then the few images are learned, evaluated and tested for leaks. You can leave this page and come back: the distillation continues without you.
guide-watch-open = Open the distillation

guide-read = Read the report
guide-read-about = The distillation ends with a report. Look for three things:
guide-read-utility = Utility: the accuracy of networks trained on the few images, compared with as many random images and with all images.
guide-read-privacy = Privacy: a verdict in words, what it rests on (attacks, their power, controls), and a certificate for readers outside.
guide-read-settings = Reproducibility: every setting, the versions, and the seed of the evaluation. What touched the images was drawn from a secret seed.
guide-read-open = Read the report

guide-share = How sharing works
guide-share-about = Synthetic images are not shared: they would teach nobody anything. With your own images, these steps would follow:
guide-share-gate = The release policy is applied to the report. A distillation in which the audit found a leak is never released; your admins decide on the other conditions.
guide-share-terms = A data steward describes the release and sets its terms of use. The release is signed with your organisation’s key.
guide-share-asked = Others find it in the catalogue and request access. A data steward grants, returns or denies each request, with a reason and an entry in the audit log.
guide-share-back = You can withdraw a release later, also because of one patient. Everyone who downloaded it is notified.
