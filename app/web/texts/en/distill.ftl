# Asking for a distillation.
distill-title = Distill { $name }
distill-about = A few choices, then it runs by itself. Nothing leaves your organisation by it: what comes out is shared only if a data steward releases it later.
distill-not-ready = This dataset is { $status }. It can be distilled once it is ready.
distill-to-dataset = See the dataset
distill-ask-researcher = Starting a distillation takes the role of a researcher, a data steward or an admin. Ask one of them in your organisation.
distill-preset = Preset
distill-show-preset = Show the settings of this preset
distill-button = Start the distillation
distill-back = Back to the dataset
distill-ipc-help = How many images are learned per class. More carry more and take longer. The preset has { $usual }; at most { $most }, the training images of the smallest class.
distill-start-from = What the images start from
distill-seed-help = Fixes everything that is drawn at random. The same seed and settings give the same result on the same machine; take another one to see how much chance does.
distill-experts = For experts: all other settings
distill-experts-about = What is not changed here stays as the preset has it. Each setting carries the name under which reports and the REST API know it.
distill-range = { $low } to { $high }
distill-list-help = Numbers with a comma between them.

preset-cpu-demo = Demonstration
preset-cpu-demo-about = To see the whole way once. Its figures are too rough to build on.
preset-cpu-demo-time = Some minutes on any machine, for a first look.
preset-cpu-small = Small, without a GPU
preset-cpu-small-about = A first real result with a narrow network and three images per class.
preset-cpu-small-time = An hour or two on a workstation without a GPU, for a department that tries it.
preset-gpu-evening = An evening on one GPU
preset-gpu-evening-about = The paper’s network with fewer teachers and 20 images per class. Results to share.
preset-gpu-evening-time = An evening on one GPU, for sets that others are to train on.
preset-paper-covid-cxr = The paper’s setting
preset-paper-covid-cxr-about = As in the paper on COVID-19 X-rays: 100 teachers, 20 images per class from real ones. For reproducing its figures.
preset-paper-covid-cxr-time = Hours on a large GPU, days on a small one, for research on the method.

initialisation-k-mean = Means of several images
initialisation-k-mean-about = Each image starts as the mean of at least 16 images of its class.
initialisation-k-mean-privacy = Privacy: no start shows a single patient; the usual choice.
initialisation-noise = Noise
initialisation-noise-about = Each image starts from random dots. It takes longer until it carries as much.
initialisation-noise-privacy = Privacy: no patient’s image is in the start at all.
initialisation-real = Single real images
initialisation-real-about = Each image starts as one patient’s X-ray and is changed from there.
initialisation-real-privacy = Privacy: much of that X-ray may still be seen in the end, so the result stays within your organisation unless its audit and an admin’s policy clear it.

settings-network = Network
settings-augmentation = Augmentation
settings-teacher = Teachers
settings-distillation = Distillation
settings-evaluation = Evaluation
settings-compute = Computing

setting-network = Network
setting-depth = Blocks of the ConvNet
setting-width = Channels of each block
setting-augmentation = Random changes of each image
setting-scale-ratio = Scaling by up to
setting-rotate-degrees = Rotation by up to (degrees)
setting-crop-padding = Shift by up to (share of the side)
setting-cutout-ratio = Square that is cut out (share of the side)
setting-brightness = Change of brightness
setting-contrast = Change of contrast
setting-saturation = Change of saturation
setting-teachers = Teachers
setting-teacher-epochs = Epochs of each teacher
setting-teacher-batch-size = Images in a teacher’s step
setting-teacher-lr = Teachers’ learning rate
setting-teacher-momentum = Teachers’ momentum
setting-teacher-sampling = Images of an epoch
setting-teacher-flatness = Radius of flatness-seeking steps
setting-method = Method
setting-iterations = Iterations
setting-syn-steps = Student steps in an iteration
setting-expert-epochs = Teacher epochs that they match
setting-max-start-epoch = Latest epoch to start from
setting-first-max-start-epoch = Latest epoch to start from at the beginning
setting-start-growth = Share of the run in which that grows
setting-syn-batch-size = Distilled images in a student step (0: all)
setting-lr-img = Learning rate of the images
setting-lr-lr = Learning rate of α
setting-lr-weights = Learning rate of the importance weights W
setting-weights-gradient = Scale of W’s gradient
setting-pruning-threshold = Threshold of pruning
setting-syn-lr = α at the beginning
setting-momentum = Momentum of the images
setting-image-average = Averaging of the images over iterations
setting-k-mean-images = Images in each mean
setting-start-from = Images that starts are taken from
setting-validate-every = Iterations between validations (0: never)
setting-validation-networks = Networks in a validation
setting-evaluation-networks = Networks in the final figures
setting-evaluation-epochs = Epochs of each of them
setting-evaluation-batch-size = Images in their step
setting-evaluation-momentum = Their momentum
setting-baseline-lrs = Learning rates tried with random images
setting-full-epochs = Epochs on the full data
setting-cross-networks = Other networks to try the result with
setting-precision = Precision
setting-compilation = Compilation of the matching step
setting-networks-at-once = Networks trained at once (0: as fits)
setting-micro-batch-size = Images computed at once (0: as fits)

note-preset-shown = These are the settings of the preset that you chose. Look at them, then start.

forecast-title = What it will take
forecast-no-script = The forecast follows your choices by itself where scripts run. Without them, ask for it here.
forecast-ask = Ask for the forecast
forecast-asking = Asking…
forecast-time = About { $seconds } of computing.
forecast-range = It may be { $low } to { $high }.
forecast-teachers-there = The teachers are there already: an earlier distillation trained them, and they are used again.
forecast-memory = It needs up to { $peak } of memory, of { $has } that the device has, and { $disk } of storage.
forecast-in-parts = That is more than fits at once, so images are computed in parts; it takes longer than said.
forecast-basis = Basis: { $basis }.
forecast-earlier = { $count ->
    [one] One earlier forecast for this device was off by { $typical }.
   *[other] { $count } earlier forecasts for this device were typically off by { $typical }, at most by { $largest }.
}
forecast-on-top = Waiting for a worker, testing privacy and packing come on top.
forecast-measuring = A worker measures a few steps of it on its own device. The forecast follows in a moment.
forecast-queued = Waiting for a worker, which measures a few steps of it on its own device.
forecast-ahead = { $ahead ->
    [one] One other forecast is measured before this one.
   *[other] { $ahead } other forecasts are measured before this one.
}
forecast-busy = { $computing ->
    [one] The workers are busy with one computation; a few steps are measured as soon as one is free.
   *[other] The workers are busy with { $computing } computations; a few steps are measured as soon as one is free.
}
forecast-waits-long = No worker has answered for a minute. You may start without the forecast: the distillation waits for a worker too. If nothing answers for long, ask whoever runs this portal whether its workers run.
forecast-none = There is no forecast for these settings. The distillation may be started all the same.
forecast-look-again = Look again
forecast-go-back = To go on, go back to the form in your browser: what you filled in is still there.
