# The list of distillations, and one of them.
distillations-title = Distillations
distillations-about = A distillation learns a few images per class from a dataset. Each one ends with a report of what they are worth and what they leak.
distillations-of = Of the dataset
distillations-of-all = all datasets
distillations-filter = Show
distillations-filter-label = Filter
distillations-dataset = Dataset
distillations-preset = Preset
distillations-ipc = Images per class
distillations-status = Status
distillations-verdict = Privacy
distillations-asked = Asked for
distillations-none = No distillation yet
distillations-none-about = It begins with a dataset that has been checked. If you have none at hand, the guide goes through a first distillation with drawn sample images.
distillations-none-of-it = None of this dataset yet
distillations-none-of-it-about = Nothing was distilled from this dataset so far.
distillations-choose-dataset = Choose a dataset
distillations-show-all = Show those of all datasets
distill-start = Distill it

progress-of = { $done } of { $total }
time-left = about { $left } left

distillation-of = Distillation of { $name }
distillation-start = Images start from
distillation-seed = Seed
distillation-attempt = Attempt
distillation-forecast = Forecast
distillation-forecast-is = { $low } to { $high }
distillation-changed = { $count ->
    [one] One setting differs from the preset
   *[other] { $count } settings differ from the preset
}
distillation-ended = ended
distillation-ask-researcher = Stopping it takes the role of a researcher, a data steward or an admin. Ask one of them in your organisation.
distillation-touched = Images that it was made from were withdrawn
distillation-touched-short = images withdrawn since
distillation-touched-about = It is not released, and not gone on with. Distill again to make it anew without those images.
distillation-touched-by = The withdrawal
dataset-was-deleted = deleted since

start-k-mean = means of several images
start-noise = noise
start-real = single real images

status-refuted = privacy refuted
status-not-refuted = privacy not refuted
status-proven = privacy proven

unit-epochs = epochs
unit-iterations = iterations
unit-networks = networks
unit-files = files
unit-parts = parts
unit-metrics = metrics

phase-teaching = Training teachers
phase-teaching-about = Networks learn from your images; the way they take is recorded.
phase-distilling = Distilling
phase-distilling-about = Few images are changed until a network that learns from them takes the same way.
phase-evaluating = Evaluating
phase-evaluating-about = Fresh networks learn from the distilled images, from as many random ones, and from all; each is tested on images that nobody has trained on.
phase-auditing = Testing privacy
phase-auditing-about = Attacks look for copies and traces of single images.
phase-packaging = Packing
phase-packaging-about = Images, settings and the report go into one bundle.
phase-done = done
phase-done-in = done in { $took }
phase-waits = comes later
phase-waits-about = comes later, about { $expected }
phase-begins = begins
phase-stopped = stopped here
phase-stopped-at = stopped at { $done } of { $total }

live-title = Progress
live-queued = It waits for a worker. It starts by itself as soon as one is free; you may close this page.
live-stopping = It is being cancelled: its worker stops at the next step, and what was computed is kept.
live-in = { $phase }:
live-done = { $done } of { $total } { $unit }.
live-percent = { $done } percent.
live-left = About { $left } left until everything is done.
live-left-unknown = The time left is told once a few steps are measured.
live-silent = Nothing was heard from its worker for some minutes. If the worker has died, another one goes on from the last checkpoint by itself. Last heard:
live-no-script = This page shows how things were when it was loaded. Load it again to see how it goes on; charts need scripts.
live-lost = The connection to the portal is lost. The distillation goes on without it; this page tries again by itself.
live-back = The connection is back, and everything that happened meanwhile is shown.
live-session-ended = Your session has ended. The distillation goes on. Sign in in another tab; this page then continues.

charts-title = Charts
chart-x = iteration
chart-x-teachers = epoch
chart-loss = Loss
chart-loss-about = How far the network that learns from the distilled images ends from the teacher; lower is better.
chart-alpha = α, the learning rate that is learned along
chart-alpha-about = The step with which the distilled images are learned from; it comes with them.
chart-accuracy = Balanced accuracy on validation images
chart-accuracy-about = Measured now and then; the best iteration is kept.
chart-teachers = Teachers’ accuracy on their training images
chart-teachers-about = The mean over the teachers that have reached an epoch.
series-loss = loss
series-unweighted = loss without importance weights
series-alpha = α
series-validation = balanced accuracy
series-teachers = accuracy
chart-summary = From { $first } at the beginning to { $last } at { $at }. Lowest { $least }, highest { $most }.
chart-table = As a table

log-title = Log
log-empty = Nothing was told yet.

result-title = Result
result-worth = What it is worth
result-worth-is = Networks trained on the { $images } distilled images reach { $distilled } balanced accuracy on test images.
result-worth-random = Trained on as many random images, they reach { $random }.
result-worth-full = Trained on all images, they reach { $full }.
result-leaks = What it leaks
result-may = What may be done with it
result-may-release = It may be released, when a data steward of your organisation decides so.
result-may-sample = It is yours to look at. It came from drawn sample images, so it is not shared.
result-may-withdrawn = It stays within your organisation, because images that it was made from were withdrawn.
result-may-not = It stays within your organisation for now.
result-not-measured = Not measured.
result-report = Read the report
result-share = Release and share
downloads = Download:
download-bundle = bundle (zip)
download-pdf = report (PDF)
download-json = report (JSON)

failed-title = The distillation failed
failed-unknown = The reason was not kept. What was computed until the last checkpoint is; try again to go on with it.
cancelled-about = It was cancelled. What was computed until the last checkpoint is kept, so it can be gone on with.
cancel-title = Cancel
cancel-about = It stops at its next step. What was computed is kept: “Go on with it” continues from there.
cancel-button = Stop it
retry-button = Go on with it
retry-about = “Go on with it” continues from the last checkpoint. “Distill again” begins a new one with the same settings.
again-button = Distill again
again-about = “Distill again” begins a new one with the same settings, of the dataset as it is now.
again-otherwise = With other settings
again-no-dataset = Its dataset was deleted, so it cannot be computed again.
delete-distillation-title = Delete this distillation
delete-distillation-removes = This removes its report, its bundle, its checkpoints and its log, for everybody and for good. The dataset { $name } and its teachers stay, and so do releases that were published. Deleting asks for the dataset’s name.
delete-distillation-button = Delete the distillation

note-distillation-started = The distillation was asked for. It starts as soon as a worker is free.
note-distillation-cancelled = It is being cancelled. What was computed is kept.
note-distillation-retried = It goes on from where it stopped, as soon as a worker is free.
note-distillation-deleted = The distillation was deleted.
