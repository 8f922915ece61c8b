# The list of distillations, and one of them.
distillations-title = Distillations
distillations-about = A distillation learns a few images per class from a dataset. It ends with a report on their utility and privacy.
distillations-of = Dataset
distillations-of-all = all datasets
distillations-filter = Show
distillations-filter-label = Filter
distillations-dataset = Dataset
distillations-preset = Preset
distillations-ipc = Images per class
distillations-status = Status
distillations-verdict = Privacy
distillations-asked = Requested
distillations-none = No distillation yet
distillations-none-about = A distillation needs a dataset that has been checked. If you have no dataset, the guide leads you through a first distillation with synthetic sample images.
distillations-none-of-it = No distillation of this dataset yet
distillations-none-of-it-about = Nothing was distilled from this dataset yet.
distillations-choose-dataset = Choose a dataset
distillations-show-all = Show all datasets
distill-start = Distill this dataset

progress-of = { $done } of { $total }
time-left = about { $left } left

distillation-of = Distillation of { $name }
distillation-start = Initial images
distillation-seed = Seed
distillation-priority = Priority
priority-high = high
priority-normal = normal
priority-low = low
distillation-attempt = Attempt
distillation-forecast = Forecast
distillation-forecast-is = { $low } to { $high }
distillation-changed = { $count ->
    [one] One setting differs from the preset
   *[other] { $count } settings differ from the preset
}
distillation-ended = ended
distillation-ask-researcher = Only a researcher, a data steward or an admin can cancel a distillation. Ask one of them in your organisation.
distillation-touched = Images used for this distillation were withdrawn
distillation-touched-short = images withdrawn since
distillation-touched-about = This distillation can no longer be released or resumed. Distill again to repeat it without those images.
distillation-touched-by = Open the withdrawal
dataset-was-deleted = deleted since

start-k-mean = means of several images
start-noise = noise
start-public = generated chests
start-dp-mean = class means with noise
start-real = single real images

status-refuted = leak detected
status-inconclusive = inconclusive: a leak is not excluded
status-not-refuted = no leak detected (limited tests)
status-proven = privacy proven

unit-epochs = epochs
unit-iterations = iterations
unit-networks = networks
unit-files = files
unit-parts = parts
unit-metrics = metrics

phase-teaching = Training teachers
phase-teaching-about = Networks learn from your images; their training is recorded.
phase-distilling = Distilling
phase-distilling-about = A few images are changed until a network that learns from them follows the teachers’ training.
phase-evaluating = Evaluating
phase-evaluating-about = New networks learn from the distilled images, from as many random images, and from all images; each is tested on images that no network has trained on.
phase-auditing = Testing privacy
phase-auditing-about = Attacks look for copies and traces of single images.
phase-packaging = Packing
phase-packaging-about = Images, settings and the report are packed into one bundle.
phase-done = done
phase-done-in = done in { $took }
phase-waits = later
phase-waits-about = later, about { $expected }
phase-begins = starting
phase-stopped = stopped here
phase-stopped-at = stopped at { $done } of { $total }

live-title = Progress
live-wait-drained = Waiting for the service: its operator has drained it, for an update as a rule. It goes on by itself afterwards; you can close this page.
live-wait-no-worker = Waiting for a worker: none takes this step at present. It goes on by itself as soon as one does; if that takes long, ask the operator. You can close this page.
live-wait-next = Waiting for a worker, which takes the next step within seconds.
live-wait-busy = Waiting for a worker: all for this step are busy. { $organisations ->
    [0] Yours is the next organisation that has a turn.
    [one] One other organisation has its turn before yours.
   *[other] { $organisations } other organisations have their turn before yours.
  } { $own ->
    [0] None of your own jobs goes before this one.
    [one] One step of your own jobs goes before this one.
   *[other] { $own } steps of your own jobs go before this one.
  } You can close this page.
live-queued = Waiting for a worker. The distillation starts by itself as soon as one is free; you can close this page.
live-stopping = Cancelling: the worker stops at the next step, and what was computed is kept.
live-in = { $phase }:
live-done = { $done } of { $total } { $unit }.
live-percent = { $done } percent.
live-left = About { $left } left until everything is done.
live-left-unknown = The remaining time appears once a few steps are measured.
live-silent = The worker has not reported for some minutes. If it has died, another worker resumes from the last checkpoint by itself. Last report:
live-no-script = This page shows the state at the time it was loaded. Reload it to see the progress; charts need JavaScript.
live-lost = The connection to the portal is lost. The distillation continues; this page tries again by itself.
live-back = The connection is back, and everything that happened meanwhile is shown.
live-session-ended = Your session has ended. The distillation continues. Sign in in another tab; this page then updates again.

charts-title = Charts
chart-x = iteration
chart-x-teachers = epoch
chart-loss = Loss
chart-loss-about = Distance between the teacher and the network that learns from the distilled images; lower is better.
chart-alpha = α, the learned learning rate
chart-alpha-about = The learning rate for training on the distilled images; it is part of the result.
chart-accuracy = Balanced accuracy on validation images
chart-accuracy-about = Measured from time to time; the best iteration is kept.
chart-teachers = Teachers’ accuracy on their training images
chart-teachers-about = Mean over the teachers that have reached an epoch.
series-loss = loss
series-unweighted = loss without importance weights
series-alpha = α
series-validation = balanced accuracy
series-teachers = accuracy
chart-summary = From { $first } at the beginning to { $last } at { $at }. Lowest { $least }, highest { $most }.
chart-table = Show as table

log-title = Log
log-empty = The log is empty.

result-title = Result
result-utility = Utility
result-utility-is = Networks trained on the { $images } distilled images reach { $distilled } balanced accuracy on test images.
result-utility-random = Trained on as many random images, they reach { $random }.
result-utility-full = Trained on all images, they reach { $full }.
result-utility-noisy = Networks trained on the { $images } distilled images reach { $accuracy } accuracy on test images, with noise. Exact figures are in the report inside your organisation alone.
result-privacy = Privacy
result-may = Release
result-may-release = It can be released if a data steward of your organisation decides so.
result-may-sample = It is for your own use. It came from synthetic sample images, so it is not shared.
result-may-withdrawn = It stays within your organisation, because images that it was made from were withdrawn.
result-may-not = It stays within your organisation for now.
result-not-measured = Not measured.
result-report = Read the report
result-share = Release and share
downloads = Download:
download-bundle = bundle (zip)
download-pdf = report (PDF)
download-certificate = privacy certificate
download-json = report (JSON)

failed-title = The distillation failed
failed-unknown = The reason was not stored. Everything up to the last checkpoint was kept; resume to continue from there.
cancelled-about = The distillation was cancelled. Everything up to the last checkpoint was kept, so it can be resumed.
cancel-title = Cancel
cancel-about = The distillation stops at its next step. What was computed is kept: “Resume” continues from there.
cancel-button = Cancel distillation
retry-button = Resume
retry-about = “Resume” continues from the last checkpoint. “Distill again” starts a new distillation with the same settings.
again-button = Distill again
again-about = “Distill again” starts a new distillation of the present dataset with the same settings.
again-otherwise = Distill with other settings
again-no-dataset = The dataset was deleted, so the distillation cannot be repeated.
delete-distillation-title = Delete this distillation
delete-distillation-removes = This deletes the report, the bundle, the checkpoints and the log, for everyone. This cannot be undone. The dataset { $name } and its teachers stay, and so do published releases. To confirm, you type the name of the dataset.
delete-distillation-button = Delete distillation

note-distillation-started = The distillation was requested. It starts as soon as a worker is free.
note-distillation-cancelled = The distillation is being cancelled. What was computed is kept.
note-distillation-retried = The distillation resumes where it stopped, as soon as a worker is free.
note-distillation-deleted = The distillation was deleted.
