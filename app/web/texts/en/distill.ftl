# Starting a distillation.
distill-title = Distill { $name }
distill-about = Choose a few settings; then the distillation runs by itself. Nothing leaves your organisation: the result is shared only if a data steward releases it later.
distill-not-ready = The status of this dataset is “{ $status }”. You can distill it once it is ready.
distill-to-dataset = Open the dataset
distill-ask-researcher = Only a researcher, a data steward or an admin can start a distillation. Ask one of them in your organisation.
distill-preset = Preset
distill-show-preset = Show the settings of this preset
distill-button = Start distillation
distill-back = Back to the dataset
distill-ipc-help = How many images are learned per class. More images carry more information and take longer. The preset uses { $usual }; at most { $most }, the number of training images of the smallest class.
distill-start-from = Initial images
distill-audit = Privacy audit
distill-audit-about = The more often the whole run is repeated with and without some of the images, the smaller the leaks that the audit finds. The forecast below shows both.
distill-audit-free = Without repetitions
distill-audit-free-about = Attacks the result itself, at no extra cost. It finds large leaks, where the portal drew the test images at random.
distill-audit-quick = 8 repetitions
distill-audit-quick-about = A first number for how large a leak would be found.
distill-audit-standard = 24 repetitions
distill-audit-standard-about = What a release to other organisations usually needs.
distill-audit-full = 80 repetitions
distill-audit-full-about = Finds small leaks, and leaks of single groups of images.
distill-seed-help = Initial networks and evaluations follow from it, and it is published. Whatever touches the images is drawn from a secret that is forgotten afterwards, so two runs with the same seed differ.
distill-experts = Expert settings
distill-experts-about = Settings that you do not change keep the value of the preset. Each setting shows the name that reports and the REST API use.
distill-range = { $low } to { $high }
distill-list-help = Comma-separated numbers.

preset-cpu-demo = Demonstration
preset-cpu-demo-about = To see the whole process once. Its figures are too rough to rely on.
preset-cpu-demo-time = A few minutes on any machine, for a first try.
preset-cpu-small = Small, without a GPU
preset-cpu-small-about = A first real result with a narrow network and three images per class.
preset-cpu-small-time = An hour or two on a workstation without a GPU, for a department that tries it out.
preset-cpu-dp = Differential privacy, without a GPU
preset-cpu-dp-about = A proof (ε, δ) in place of a measurement, paid for with accuracy. For at least some thousand patients; what was spent on a dataset stays spent.
preset-cpu-dp-time = Some hours on a workstation without a GPU.
preset-gpu-dp = Differential privacy, on one GPU
preset-gpu-dp-about = As the one without a GPU, with more images per class.
preset-gpu-dp-time = An hour or more on one GPU.
preset-gpu-evening = An evening on one GPU
preset-gpu-evening-about = The paper’s network with fewer teachers and 20 images per class. For results to share.
preset-gpu-evening-time = An evening on one GPU, for sets that others will train on.
preset-paper-covid-cxr = Settings of the paper
preset-paper-covid-cxr-about = As in the paper on COVID-19 X-rays: 100 teachers, 20 images per class that start from real ones. For reproducing its figures.
preset-paper-covid-cxr-time = Hours on a large GPU, days on a small one, for research on the method.

initialisation-k-mean = Means of several images
initialisation-k-mean-about = Each image starts as the mean of at least 16 images of its class.
initialisation-k-mean-privacy = Privacy: whoever holds candidate X-rays can find those that were averaged. Only in paper presets.
initialisation-public = Generated chests
initialisation-public-about = Each image starts as generated chests, which show no person.
initialisation-public-privacy = Privacy: the initial images say nothing about a patient.
initialisation-dp-mean = Class mean with noise
initialisation-dp-mean-about = Each image starts as the mean of its class at a low resolution, with added noise.
initialisation-dp-mean-privacy = Privacy: differential privacy limits what the initial images say about one patient.
initialisation-noise = Noise
initialisation-noise-about = Each image starts as random noise. It takes longer to carry as much information.
initialisation-noise-privacy = Privacy: no patient’s image is in the initial image at all.
initialisation-real = Single real images
initialisation-real-about = Each image starts as one patient’s X-ray and is changed from there.
initialisation-real-privacy = Privacy: much of that X-ray may still be visible in the result, so the result stays within your organisation unless its audit and an admin’s policy clear it.

settings-network = Network
settings-augmentation = Augmentation
settings-teacher = Teachers
settings-distillation = Distillation
settings-evaluation = Evaluation
settings-compute = Computing
settings-protection = Differential privacy
settings-audit = Privacy audit
settings-other = Other

setting-network = Network
setting-depth = ConvNet blocks
setting-width = Channels per block
setting-augmentation = Augmentations
setting-scale-ratio = Scaling by up to
setting-rotate-degrees = Rotation by up to (degrees)
setting-crop-padding = Shift by up to (share of the image side)
setting-cutout-ratio = Cutout square (share of the image side)
setting-brightness = Brightness change
setting-contrast = Contrast change
setting-saturation = Saturation change
setting-teachers = Number of teachers
setting-teacher-epochs = Epochs per teacher
setting-teacher-batch-size = Teacher batch size
setting-teacher-lr = Teacher learning rate
setting-teacher-momentum = Teacher momentum
setting-teacher-sampling = Images per teacher epoch
setting-teacher-flatness = Flatness-seeking radius
setting-method = Method
setting-iterations = Iterations
setting-syn-steps = Student steps per iteration
setting-expert-epochs = Teacher epochs to match
setting-max-start-epoch = Latest start epoch
setting-first-max-start-epoch = Latest start epoch at the beginning
setting-start-growth = Share of the run in which the latest start epoch grows
setting-syn-batch-size = Distilled images per student step (0: all)
setting-lr-img = Learning rate of the images
setting-lr-lr = Learning rate of α
setting-lr-weights = Learning rate of the importance weights W
setting-weights-gradient = Scale of the gradient of W
setting-pruning-threshold = Pruning threshold
setting-syn-lr = Initial α
setting-momentum = Momentum of the images
setting-image-average = Averaging of the images over iterations
setting-k-mean-images = Images per mean
setting-start-from = Source of the initial images
setting-validate-every = Iterations between validations (0: never)
setting-validation-networks = Networks per validation
setting-evaluation-networks = Networks in the final evaluation
setting-evaluation-epochs = Epochs per evaluation network
setting-evaluation-batch-size = Evaluation batch size
setting-evaluation-momentum = Evaluation momentum
setting-baseline-lrs = Learning rates for the random-subset baseline
setting-full-epochs = Epochs on all training images
setting-cross-networks = Other networks to evaluate
setting-start-epsilon = ε of initial images with noise
setting-image-format = Grey levels of the distilled images
setting-privacy = Privacy by measurement or by proof
setting-epsilon = ε of the teachers
setting-delta = δ
setting-declared-patients = Number of patients, declared
setting-clip-norm = Largest gradient of one patient
setting-audit-calibration-runs = Repetitions to calibrate attacks
setting-audit-test-runs = Repetitions that are attacked
setting-audit-units = Patients or images that are in or out
setting-audit-students = Networks per repetition
setting-audit-leak-limit = Largest share of members that attacks may find
setting-precision = Precision
setting-compilation = Compilation of the matching step
setting-networks-at-once = Networks trained at once (0: automatic)
setting-micro-batch-size = Images computed at once (0: automatic)

note-preset-shown = These are the settings of the preset that you chose. Check them, then start the distillation.

forecast-title = Forecast
forecast-no-script = With JavaScript, the forecast follows your choices by itself. Without it, request the forecast here.
forecast-ask = Request forecast
forecast-asking = Requesting…
forecast-time = About { $seconds } of computing.
forecast-range = Range: { $low } to { $high }.
forecast-teachers-there = The teachers exist already: an earlier distillation trained them, and they are used again.
forecast-audit = Privacy audit: { $text }
forecast-memory = The distillation needs up to { $peak } of memory, of { $has } that the device has, and { $disk } of storage.
forecast-in-parts = This is more than fits at once, so images are computed in parts, and it takes longer than the forecast says.
forecast-basis = Basis: { $basis }.
forecast-earlier = { $count ->
    [one] One earlier forecast for this device was off by { $typical }.
   *[other] { $count } earlier forecasts for this device were typically off by { $typical }, at most by { $largest }.
}
forecast-on-top = Waiting for a worker, the attacks themselves and packing are not included.
forecast-measuring = A worker is measuring a few steps on its own device. The forecast follows in a moment.
forecast-queued = Waiting for a worker that measures a few steps on its own device.
forecast-ahead = { $ahead ->
    [one] One other forecast is measured before this one.
   *[other] { $ahead } other forecasts are measured before this one.
}
forecast-busy = { $computing ->
    [one] The workers are busy with one computation; a few steps are measured as soon as one is free.
   *[other] The workers are busy with { $computing } computations; a few steps are measured as soon as one is free.
}
forecast-waits-long = No worker has answered for a minute. You can start without the forecast: the distillation waits for a worker too. If no worker answers for long, ask the operator of this portal whether its workers are running.
forecast-none = There is no forecast for these settings. You can start the distillation without it.
forecast-look-again = Reload
forecast-go-back = Go back to the form in your browser to continue: what you filled in is still there.
