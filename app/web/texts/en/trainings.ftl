# Training on releases, with and without own images.
trainings-title = Trainings
trainings-about = Networks that learn from your own images, from what others share, or from both, and are tested on your own images. Nothing leaves your organisation.
trainings-new = Train with what others share
trainings-dataset = Dataset
trainings-releases = Learned from
trainings-begun = Begun
trainings-none = No training yet
trainings-none-about = Find a release in the catalogue and ask for access. Then train on it here, beside your own images.
trainings-ask-researcher = Training takes the role of a researcher, a data steward or an admin. Ask one of them in your organisation.

training-about = You see what a release is worth for you: networks learn from your own images, from what you received, and from both, and all are tested on test images of your own.
training-title = Training for { $name }
training-with = With
training-no-dataset = No dataset to test on
training-no-dataset-about = Upload a dataset of your own first: its test images are asked about.
training-no-release = Nothing to train on
training-no-release-about = Your organisation has no release yet. Ask for one in the catalogue and accept its terms.
training-dataset = Your dataset
training-dataset-help = Its test images are asked about, and its training images are learned from.
training-releases = Releases to learn from
training-version = version { $number }
training-compare = Compare
training-row-own = own images
training-row-received = what was received
training-row-both = own images and what was received
training-own = Own images of each class
training-own-help = Empty: all. Fewer show how much a release helps whoever has few images.
training-networks = Networks for each
training-networks-help = The spread is over them; more take longer.
training-start = Start

training-is-proposing = A worker compares the names of the classes.
training-is-proposed = Say which class is which; then it trains.
training-is-queued = It waits for a worker and starts by itself. You may close this page.
training-is-running = Networks are being trained. You may close this page.
training-is-ready = Done.
training-is-failed = It failed. Your dataset and the releases are as they were; start another one if you want to.
training-is-cancelled = It was cancelled. Nothing of it is kept.
training-progress = Progress of the training
training-done = { $done } of { $total } done.
training-left = About { $left } left.
training-cancel = Cancel it
training-result = What it came to
training-caption = Balanced accuracy on your own test images, of networks that learned from
training-score = Tell its owner

maps-title = Which class is which?
maps-about = Hospitals name classes in different ways. This is what the names suggest: check it, and mend it where it is wrong.
maps-is = “{ $name }” is your
maps-none = none: leave it out
maps-confirm = That is so: train

status-proposing = comparing classes
status-proposed = waits for you
status-running = training

note-training-started = Started.
note-training-confirmed = Confirmed. It trains as soon as a worker is free.
note-training-cancelled = It is being cancelled.
