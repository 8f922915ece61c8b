# Training on releases, with and without own images.
trainings-title = Trainings
trainings-about = Networks that learn from your own images, from releases of others, or from both, and are tested on your own images. Nothing leaves your organisation.
trainings-new = Train on releases
trainings-dataset = Dataset
trainings-releases = Releases
trainings-begun = Started
trainings-none = No training yet
trainings-none-about = Find a release in the catalogue and request access. Then train on it here, with or without your own images.
trainings-ask-researcher = Only a researcher, a data steward or an admin can start a training. Ask one of them in your organisation.

training-about = See how useful a release is for you: networks learn from your own images, from the releases, and from both, and all are tested on your own test images.
training-title = Training for { $name }
training-with = Releases:
training-no-dataset = No dataset to test on
training-no-dataset-about = Upload a dataset of your own first: its test images are needed for the comparison.
training-no-release = No release to train on
training-no-release-about = Your organisation has no access to a release yet. Request access in the catalogue and accept the terms.
training-dataset = Your dataset
training-dataset-help = Networks learn from its training images and are tested on its test images.
training-releases = Releases to train on
training-version = version { $number }
training-compare = Compare
training-row-own = own images
training-row-received = releases
training-row-both = own images and releases
training-own = Own images per class
training-own-help = Empty: all. A smaller number shows how much a release helps an organisation with few images.
training-networks = Networks for each comparison
training-networks-help = The spread is calculated over them; more networks take longer.
training-start = Start training

training-is-proposing = A worker compares the names of the classes.
training-is-proposed = Match the classes; then the training starts.
training-is-queued = Waiting for a worker; the training starts by itself. You can close this page.
training-is-running = Networks are being trained. You can close this page.
training-is-ready = Done.
training-is-failed = The training failed. Your dataset and the releases are unchanged; you can start another training.
training-is-cancelled = The training was cancelled. Nothing of it is kept.
training-progress = Progress of the training
training-done = { $done } of { $total } done.
training-left = About { $left } left.
training-cancel = Cancel training
training-result = Result
training-caption = Balanced accuracy on your own test images, of networks trained on
training-score = Share your result

maps-title = Match the classes
maps-about = Hospitals name classes in different ways. Check this proposal, and correct it where it is wrong.
maps-is = “{ $name }” is your
maps-none = none: leave it out
maps-confirm = Confirm classes and train

status-proposing = comparing classes
status-proposed = waiting for you
status-running = training

note-training-started = Training started.
note-training-confirmed = Classes confirmed. The training starts as soon as a worker is free.
note-training-cancelled = The training is being cancelled.
