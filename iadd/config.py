"""Every setting of a run, checked when it is made.

A run is described by one frozen :class:`Config`. Its sections follow the phases of the paper;
the names are the paper's where it has them. Field names are unique across sections, so that a
flat mapping (a preset's overrides, a command line, a JSON body) can name any of them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, Self, TypeVar, cast, get_args, get_origin

Initialisation = Literal["real", "k_mean", "noise", "dp_mean", "public"]
ImageFormat = Literal["8bit", "float"]
Privacy = Literal["audited", "dp"]
StartFrom = Literal["all", "correct"]
Method = Literal["iadd", "mtt", "ddpp", "hop_tm", "dc", "dsa", "dm"]
RelativeTo = Literal["all", "weighted"]
MatchedStep = Literal["last", "nearest"]
Adjoint = Literal["exact", "frozen"]
WeightsGradient = Literal["mean", "layer", "literal"]
NetworkName = Literal["convnet", "alexnet", "vgg11", "resnet18"]
TeacherSampling = Literal["all", "balanced"]
Precision = Literal["float32", "tf32", "bfloat16"]
Compilation = Literal["auto", "always", "never"]
WhiteningName = Literal["none", "zca"]

CONDENSING: tuple[Method, ...] = ("dc", "dsa", "dm")
"""Methods that compare with real images in each iteration, and follow no teacher."""

AUGMENTATIONS = ("color", "crop", "cutout", "flip", "scale", "rotate")


_MOST_ITEMS = 100
"""Members of a setting that is a list, at most."""

T = TypeVar("T")


def setting(
    default: T,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
    group: str = "",
    counted: bool = False,
) -> T:
    """Declare a setting: range, choices, unit, group. :data:`SETTINGS` lists them all.

    Args:
        default: Its value unless set. What kind of value it takes is the field's type.
        minimum: Smallest number, allowed; of a list, of each member.
        maximum: Largest number, allowed.
        choices: Words of a list whose type names none; a ``Literal`` names its own.
        unit: What a number counts.
        group: Where it stands on a form, unless that is its section.
        counted: Whether it leaves the time of a single step as it is, and says only how many there
            are or what is added: one measurement then serves all its values.
    """
    declared: dict[str, Any] = {"minimum": minimum, "maximum": maximum, "choices": choices}
    declared |= {"unit": unit, "group": group, "counted": counted}
    return field(default=default, metadata=declared)


class InvalidSetting(NamedTuple):
    """Why a setting is refused.

    Attributes:
        name: Of the setting.
        message: A sentence that says what is allowed.
        allowed: The smallest and the largest number or the words; None where it is refused because
            of other settings.
    """

    name: str
    message: str
    allowed: list[Any] | None = None


class ConfigError(ValueError):
    """Settings are unknown or out of range. The message names them and says what is allowed.

    Attributes:
        invalid: One for each setting that is refused.
    """

    def __init__(self, message: str, invalid: Sequence[InvalidSetting] = ()) -> None:
        super().__init__(message)
        self.invalid = tuple(invalid)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network that teachers, students and evaluation networks share (paper, section 4.1)."""

    network: NetworkName = setting("convnet")
    """``convnet``: blocks of 3×3 convolution, instance norm, ReLU, 2×2 average pooling.
    ``alexnet``, ``vgg11``, ``resnet18``: the paper's others (section 4.4), with instance norm."""
    depth: int = setting(5, minimum=1, maximum=8, unit="blocks")
    """Blocks of a ``convnet``. Five for 112×112 images."""
    width: int = setting(128, minimum=1, maximum=1024, unit="filters")
    """Filters per convolution of a ``convnet``. The paper's is 128."""


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """Differentiable Siamese augmentation (Zhao and Bilen 2021; the paper's 𝒜 of eq. 2)."""

    augmentation: tuple[str, ...] = setting(
        ("color", "crop", "cutout", "scale", "rotate"), choices=AUGMENTATIONS
    )
    """Operations to draw from, one per step. ``flip`` is left out for chest X-rays: it would show
    the heart on the patient's right."""
    scale_ratio: float = setting(1.2, minimum=1, maximum=10)
    """Largest zoom, and its inverse the smallest, each axis on its own. At least 1."""
    rotate_degrees: float = setting(15.0, minimum=0, maximum=180, unit="degrees")
    """Rotation to either side at most."""
    crop_padding: float = setting(0.125, minimum=0, maximum=0.5, unit="of the side")
    """Shift at most, as a share of the image's side."""
    cutout_ratio: float = setting(0.5, minimum=0, maximum=1, unit="of the side")
    """Side of the blanked square, as a share of the image's side."""
    brightness: float = setting(1.0, minimum=0, maximum=10)
    """Width of the uniform shift of brightness, in units of normalised intensity."""
    contrast: float = setting(0.5, minimum=0, maximum=10)
    """Smallest contrast factor; the largest is one more."""
    saturation: float = setting(2.0, minimum=0, maximum=10)
    """Largest saturation factor. Grey images have none to change."""


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Expert trajectories (paper, section 3.1)."""

    teachers: int = setting(100, minimum=1, maximum=10_000, unit="networks", counted=True)
    """Networks to train, N in the paper."""
    teacher_epochs: int = setting(50, minimum=1, maximum=1_000, unit="epochs", counted=True)
    """Passes over the training images; a snapshot is kept after each."""
    teacher_batch_size: int = setting(256, minimum=1, maximum=65_536, unit="images")
    """Images per step. The last batch of an epoch may be smaller."""
    teacher_lr: float = setting(0.01, minimum=1e-8, maximum=10, counted=True)
    """Learning rate of SGD."""
    teacher_momentum: float = setting(0.0, minimum=0, maximum=0.999, counted=True)
    """Momentum of SGD."""
    teacher_sampling: TeacherSampling = setting("all", counted=True)
    """``all``: an epoch is every training image once, as in the paper. ``balanced``: as many of
    each class as the smallest has, drawn anew for each epoch, so that a rare disease weighs as
    much as a common one and an epoch of an unbalanced set is short."""
    teacher_flatness: float = setting(0.0, minimum=0, maximum=1)
    """ρ: each step follows the gradient at the point that is uphill by ρ (sharpness-aware
    minimisation, Foret et al. 2021), so that teachers settle in flat minima and their
    trajectories are easier to follow (Du et al. 2023, FTD). 0 is plain SGD."""
    teacher_gap: float = setting(0.0, minimum=0, maximum=10)
    """γ: weight of the surrogate gap in a flat step (Zhuang et al. 2022, GSAM); without effect
    where ``teacher_flatness`` is 0. 0 is plain sharpness-aware minimisation."""


@dataclass(frozen=True, kw_only=True)
class DistillationConfig:
    """Learning the distilled set (paper, sections 3.2 and 3.3, Algorithm 1)."""

    images_per_class: int = setting(20, minimum=1, maximum=1_000, unit="images", counted=True)
    """IPC: distilled images per class."""
    initialisation: Initialisation = setting("noise", counted=True)
    """What the images start from. ``real``: training images, as in the paper. ``k_mean``: each the
    mean of ``k_mean_images`` different training images of its class; both show who is in the set.
    ``noise``: no data at all. ``public``: generated chests, which show no person. ``dp_mean``: the
    class's mean at a low resolution, with noise that bounds what it shows of one image by
    ``start_epsilon``."""
    start_epsilon: float = setting(1.0, minimum=0.01, maximum=100, counted=True)
    """ε of a ``dp_mean`` start; its δ is ``delta``."""
    image_format: ImageFormat = setting("8bit", counted=True)
    """Grey levels that the distilled images can take. ``8bit``: 256, so that what is audited, and
    what a person sees in a bundle, is all that leaves. ``float``: any number, for experiments; such
    a set is not released, since pictures can hide below a grey level."""
    k_mean_images: int = setting(16, minimum=16, maximum=1_000, unit="images", counted=True)
    """Images averaged into one start under ``k_mean``; a class must hold as many."""
    start_from: StartFrom = setting("all", counted=True)
    """Training images that starts are made of: ``all``, or ``correct``, those that most teachers
    classify correctly at their last epoch (Guo et al. 2024, DATM)."""
    method: Method = setting("iadd")
    """``iadd``: W is learned. ``mtt``: W stays at ones (Cazenavette et al. 2022). ``ddpp``: W is 0
    in each iteration where student and teacher are less alike than ``pruning_threshold`` and 1
    elsewhere (Li et al. 2023). ``hop_tm``: W is 0 until a parameter came near the teacher once, and
    1 from then on; the student's path is compared too (Dong et al. 2025, HoP-TM). Three follow no
    teacher and compare with real images: ``dm`` what random networks make of them, ``dc`` and
    ``dsa`` the gradients that they give, the latter augmented (Zhao et al. 2021, Zhao and Bilen
    2021 and 2023)."""
    pruning_threshold: float = setting(0.5, minimum=0, maximum=1, counted=True)
    """ε of ``ddpp``: the smallest similarity of a parameter that counts; 0 prunes none."""
    entry_threshold: float = setting(1e-10, minimum=0, maximum=1e6, counted=True)
    """Squared difference below which a parameter starts to count under ``hop_tm``, at first."""
    entry_growth: float = setting(1.3, minimum=1, maximum=100, counted=True)
    """Factor by which ``entry_threshold`` grows ``entry_growths`` times."""
    entry_growths: int = setting(20, minimum=0, maximum=1_000, unit="times", counted=True)
    """How often ``entry_threshold`` grows, evenly over the iterations. HoP-TM's 10,000 iterations
    have 20, one after each 500."""
    angle_factor: float = setting(1.0, minimum=0, maximum=1e6, counted=True)
    """Weight of the angles between start, middle and end of the path in the loss of ``hop_tm``; 0
    leaves them out."""
    relative_to: RelativeTo = setting("all", counted=True)
    """The teacher's way, which the distance is divided by: ``all`` parameters count the same, as in
    the paper, or each as in the distance (``weighted``), so that the loss cannot fall by smaller
    weights alone. ``hop_tm`` always takes the latter."""
    matched_step: MatchedStep = setting("last", counted=True)
    """Student step that is compared with the teacher: the ``last``, or the ``nearest`` (Liu et al.
    2024, ATT); steps after it are not differentiated."""
    adjoint: Adjoint = setting("exact", counted=True)
    """``exact`` differentiates the whole path. ``frozen`` takes each step as if the steps before it
    were constants (Cui et al. 2023, TESLA)."""
    differentiated_share: float = setting(
        1.0, minimum=0, maximum=1, unit="of the steps", counted=True
    )
    """Share of the student steps that are differentiated, the last ones before the compared step
    and at least one: fewer are faster, and give another gradient."""
    warm_start_share: float = setting(
        0.0, minimum=0, maximum=1, unit="of the iterations", counted=True
    )
    """Share of the iterations, the first ones, that are of ``dm`` where the method follows
    teachers: they cost less each, and give a better start. One iteration at least follows."""
    warm_start_lr: float = setting(1.0, minimum=0, maximum=1e9, counted=True)
    """Learning rate of the images in these iterations."""
    real_batch_size: int = setting(256, minimum=1, maximum=65_536, unit="images", counted=True)
    """Real images per class and iteration of ``dm``, ``dc`` and ``dsa``, at most."""
    network_life: int = setting(10, minimum=1, maximum=10_000, unit="iterations", counted=True)
    """Iterations of ``dc`` and ``dsa`` before another network begins."""
    network_epochs: int = setting(50, minimum=0, maximum=10_000, unit="epochs", counted=True)
    """Passes over the distilled images by which the network of ``dc`` and ``dsa`` learns between
    two iterations."""
    iterations: int = setting(5000, minimum=1, maximum=1_000_000, unit="iterations", counted=True)
    """T: iterations of Algorithm 1, with those of ``warm_start_share``."""
    syn_steps: int = setting(20, minimum=1, maximum=1_000, unit="steps")
    """J: student updates per iteration."""
    expert_epochs: int = setting(2, minimum=1, maximum=1_000, unit="epochs", counted=True)
    """K: teacher epochs that the student has to cover. 1 to ``teacher_epochs``."""
    max_start_epoch: int = setting(10, minimum=1, maximum=1_000, unit="epochs", counted=True)
    """I⁺, exclusive: students start at a teacher's epoch below it. At least 1, and
    I⁺ − 1 + K may not pass ``teacher_epochs``."""
    first_max_start_epoch: int = setting(0, minimum=0, maximum=1_000, unit="epochs", counted=True)
    """I⁺ at the first iteration, from where it grows evenly to ``max_start_epoch``: early, easy
    epochs are matched first (Guo et al. 2024, DATM). 0 starts with ``max_start_epoch`` itself."""
    start_growth: float = setting(0.5, minimum=0, maximum=1, counted=True)
    """Share of the iterations over which I⁺ grows; without effect where
    ``first_max_start_epoch`` is 0."""
    syn_batch_size: int = setting(0, minimum=0, maximum=65_536, unit="images")
    """Distilled images per student update; 0 takes all of them."""
    lr_img: float = setting(1000.0, minimum=0, maximum=1e9, counted=True)
    """ζ: learning rate of the images (eq. 12)."""
    lr_lr: float = setting(1e-6, minimum=0, maximum=1, counted=True)
    """μ: learning rate of α (eq. 10)."""
    lr_weights: float = setting(1e-4, minimum=0, maximum=1e6, counted=True)
    """η: learning rate of W (eq. 11)."""
    weights_gradient: WeightsGradient = setting("mean")
    """``mean``: η acts on P·∂L/∂W, the gradient of a loss averaged over the P parameters.
    ``layer``: on 2·∂L/∂W over its mean in the layer, so that W falls at one rate in each layer.
    ``literal``: on ∂L/∂W itself, too small for float32 to see (docs/adr/002)."""
    syn_lr: float = setting(0.01, minimum=1e-8, maximum=10, counted=True)
    """α₀: start of the learnable student learning rate."""
    momentum: float = setting(0.5, minimum=0, maximum=0.999, counted=True)
    """Momentum of SGD on the images and on α."""
    image_average: float = setting(0.0, minimum=0, maximum=0.9999, counted=True)
    """β: the images kept are an exponential moving average over the iterations, β·average +
    (1 − β)·images (Du et al. 2023, FTD). 0 keeps the images themselves."""
    micro_batch_size: int = setting(0, minimum=0, maximum=65_536, unit="images", group="compute")
    """Distilled images in memory at once; 0 takes the whole mini-batch. Changes memory, and the
    result by rounding alone."""
    validate_every: int = setting(
        100, minimum=0, maximum=1_000_000, unit="iterations", group="evaluation", counted=True
    )
    """Iterations between two evaluations on the validation split; 0 never, and the last iteration
    is kept."""
    validation_networks: int = setting(
        2, minimum=1, maximum=100, unit="networks", group="evaluation", counted=True
    )
    """Networks per evaluation on the validation split."""

    @property
    def differentiated_steps(self) -> int:
        """Student steps that are differentiated, 1 to J."""
        return max(1, round(self.differentiated_share * self.syn_steps))

    @property
    def condensing_iterations(self) -> int:
        """Iterations that compare with real images and follow no teacher; the first ones."""
        if self.method in CONDENSING:
            return self.iterations
        return min(round(self.warm_start_share * self.iterations), self.iterations - 1)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Training networks from scratch on a small set, to see what it is worth (section 4.1)."""

    evaluation_networks: int = setting(5, minimum=1, maximum=100, unit="networks")
    """Networks per figure; their spread is the ± of every table."""
    evaluation_epochs: int = setting(1000, minimum=1, maximum=100_000, unit="epochs", counted=True)
    """Passes over the small set; the learning rate falls to a tenth at half time."""
    evaluation_batch_size: int = setting(256, minimum=1, maximum=65_536, unit="images")
    """Images per step, at most; a smaller set is taken whole."""
    evaluation_momentum: float = setting(0.9, minimum=0, maximum=0.999, counted=True)
    """Momentum of SGD."""
    baseline_lrs: tuple[float, ...] = setting(
        (0.001, 0.003, 0.01, 0.03), minimum=1e-8, maximum=10.0, counted=True
    )
    """Learning rates that a baseline of real images may choose from, on validation."""
    full_epochs: int = setting(20, minimum=1, maximum=1_000, unit="epochs", counted=True)
    """Passes over the whole training set for the figure of the full data."""
    cross_networks: tuple[NetworkName, ...] = setting(())
    """Other networks that the distilled set is tried with (section 4.4), beside as many random real
    images; three of each at most. The one that it is made for is measured anyway."""


@dataclass(frozen=True, kw_only=True)
class NormalisationConfig:
    """What is done to intensities before networks see them, beside mean 0 and deviation 1."""

    whitening: WhiteningName = setting("none", counted=True)
    """``zca``: neighbouring pixels are decorrelated, as the paper does for CIFAR (section 4.2). The
    matrix that does it is fitted on the training images and shows what they have in common, so that
    such a set is for experiments on public images and is not packed into a bundle."""
    whitening_epsilon: float = setting(0.1, minimum=1e-6, maximum=10, counted=True)
    """ε: added to each variance before it is divided out; without effect under ``none``. 0.1 is
    MTT's."""


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    """How the same mathematics is computed: speed and memory, and the result by rounding alone."""

    precision: Precision = setting("float32")
    """``float32`` is exact. ``tf32`` rounds the inputs of convolutions and matrix products to 10
    bits of mantissa, on GPUs that can; ``bfloat16`` those of convolutions to 7 bits. Sums, norms
    and θ stay float32."""
    compilation: Compilation = setting("auto", counted=True)
    """``auto`` compiles the matching step where the run is long enough to win the time back."""
    activation_megabytes: int = setting(2000, minimum=0, maximum=1_000_000, unit="MB", counted=True)
    """Memory for what compiled student steps of a ConvNet computed on a CPU: steps that do not fit
    compute it anew on the way back, which takes a third longer. The result is the same."""
    networks_at_once: int = setting(0, minimum=0, maximum=100, unit="networks")
    """Networks of the same form (teachers, evaluation networks) trained in one go; 0 takes as many
    as pay on the device."""


@dataclass(frozen=True, kw_only=True)
class ProtectionConfig:
    """Differential privacy of the whole run (Dwork and Roth 2014; Abadi et al. 2016)."""

    privacy: Privacy = setting("audited", counted=True)
    """``audited``: what the set leaks is measured by attacks. ``dp``: it is bounded by proof:
    teachers take noisy gradients, and nothing else reads the hospital's images."""
    epsilon: float = setting(3.0, minimum=0.01, maximum=100, counted=True)
    """ε that the teachers of a ``dp`` run may spend, all together."""
    delta: float = setting(1e-5, minimum=1e-12, maximum=0.01, counted=True)
    """δ of ``dp`` runs and ``dp_mean`` starts; below one over the number of patients."""
    clip_norm: float = setting(1.0, minimum=1e-6, maximum=1e6, counted=True)
    """C: norm that one patient's gradient has at most in a ``dp`` run."""
    declared_patients: int = setting(
        0, minimum=0, maximum=100_000_000, unit="patients", counted=True
    )
    """N of a ``dp`` run: patients in training (images, where patients are not known), declared
    public by the hospital. The steps follow from it. It may be rounded. 0 pays for a noisy number
    with ε = 0.05."""
    canaries: int = setting(0, minimum=0, maximum=10_000, unit="images", counted=True)
    """m of a ``dp`` run: images of random numbers that are added to training by fair coins. They
    are nobody's and cost no ε, and an attack on them bounds ε from below. Several hundred find
    smaller bugs; more than a hundredth of the patients cost accuracy."""


@dataclass(frozen=True, kw_only=True)
class AuditConfig:
    """Membership attacks on the whole pipeline, repeated with each audit unit in or out."""

    audit_calibration_runs: int = setting(0, minimum=0, maximum=256, unit="runs", counted=True)
    """C: repetitions that attacks are calibrated on."""
    audit_test_runs: int = setting(0, minimum=0, maximum=256, unit="runs", counted=True)
    """T: repetitions that are attacked. 0: the run itself is the only one, at no cost."""
    audit_units: int = setting(1000, minimum=10, maximum=100_000, unit="units", counted=True)
    """m: patients, or images where patients are not known, that are in or out by a fair coin; a
    fifth of the training units at most."""
    audit_students: int = setting(4, minimum=1, maximum=64, unit="networks", counted=True)
    """Networks trained on each distilled set that is attacked."""
    audit_leak_limit: float = setting(0.05, minimum=0.011, maximum=1, counted=True)
    """Share of members found at 1% false alarms that the upper bound (95%) of every attack has to
    stay below."""


_SECTIONS: dict[str, type] = {
    "network": NetworkConfig,
    "augmentation": AugmentationConfig,
    "teacher": TeacherConfig,
    "distillation": DistillationConfig,
    "evaluation": EvaluationConfig,
    "compute": ComputeConfig,
    "protection": ProtectionConfig,
    "audit": AuditConfig,
    "normalisation": NormalisationConfig,
}

MOST_CROSS_NETWORKS = 3
"""Networks per figure of each of the ``cross_networks``, at most: they only tell whether the set
serves others too."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of one run: the argument of every long call of the library.

    Raises:
        ConfigError: When it is made with a value out of range, or with values that do not go
            together.
    """

    preset: str = "custom"
    """Name of the preset it came from."""
    seed: int = setting(0, minimum=0, maximum=2**31 - 1, counted=True)
    """Public. Initial networks and evaluations follow from it."""
    private_seed: int | None = field(default=None, repr=False, compare=False)
    """What touches the hospital's images follows from it: batches, starts, augmentation. It is
    written nowhere, so that a published seed reproduces nothing private. None takes ``seed``, for
    experiments on public images; such a set is not released."""
    image_size: int = setting(112, minimum=8, maximum=1024, unit="pixels")
    """Side of the square images, in pixels."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    protection: ProtectionConfig = field(default_factory=ProtectionConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    normalisation: NormalisationConfig = field(default_factory=NormalisationConfig)

    def __post_init__(self) -> None:
        _raise_for([*_out_of_range(self.flat())] or [*self._contradictions()])

    def _contradictions(self) -> Iterator[InvalidSetting]:
        """What the range of no single setting says."""
        distillation, epochs = self.distillation, self.teacher.teacher_epochs
        last = distillation.max_start_epoch - 1 + distillation.expert_epochs
        if last > epochs:
            yield InvalidSetting(
                "max_start_epoch",
                f"max_start_epoch − 1 + expert_epochs is {last}, and the teachers have only "
                f"{epochs} epochs: lower one of them or raise teacher_epochs.",
            )
        if distillation.first_max_start_epoch > distillation.max_start_epoch:
            yield InvalidSetting(
                "first_max_start_epoch",
                f"first_max_start_epoch is {distillation.first_max_start_epoch}, and I⁺ grows to "
                f"max_start_epoch, {distillation.max_start_epoch}: lower the first or raise the "
                "second.",
            )
        if distillation.method in CONDENSING and self.teacher.teachers > 1:
            yield InvalidSetting(
                "teachers",
                f"Method {distillation.method} follows no teacher, and the run needs but one: set "
                "teachers to 1.",
            )
        if self.normalisation.whitening != "none":
            yield from self._unfit_for_whitening()
        if self.protection.privacy == "dp":
            yield from self._unprotected_reads()
        uses_convnet = "convnet" in (self.network.network, *self.evaluation.cross_networks)
        if uses_convnet and self.image_size >> self.network.depth < 1:
            yield InvalidSetting(
                "depth",
                f"depth {self.network.depth} halves {self.image_size} pixels to nothing: "
                f"depth may be at most {self.image_size.bit_length() - 1}.",
            )

    def _unfit_for_whitening(self) -> Iterator[InvalidSetting]:
        """Settings of sets that are released or audited by repetition: those are not whitened."""
        if self.distillation.image_format != "float":
            yield InvalidSetting(
                "whitening",
                f"Under whitening {self.normalisation.whitening} images are no grey levels: set "
                "image_format to float.",
            )
        if self.audit.audit_calibration_runs or self.audit.audit_test_runs:
            yield InvalidSetting(
                "whitening",
                f"Under whitening {self.normalisation.whitening} a run is not repeated for an "
                "audit: set audit_calibration_runs and audit_test_runs to 0.",
            )

    def _unprotected_reads(self) -> Iterator[InvalidSetting]:
        """Settings that read the images without noise."""
        refused = {
            "teacher_sampling": (
                self.teacher.teacher_sampling != "all",
                "balanced batches show how many images each class has: set teacher_sampling to all",
            ),
            "teacher_flatness": (
                self.teacher.teacher_flatness > 0,
                "a flat step reads the images twice: set teacher_flatness to 0",
            ),
            "start_from": (
                self.distillation.start_from != "all",
                "starts from correctly classified images read the images: set start_from to all",
            ),
            "initialisation": (
                self.distillation.initialisation in ("real", "k_mean"),
                "starts made of images show them: set initialisation to noise, public or dp_mean",
            ),
            "method": (
                self.distillation.method in CONDENSING,
                "it compares with real images: set method to iadd, mtt, ddpp or hop_tm",
            ),
            "warm_start_share": (
                self.distillation.warm_start_share > 0,
                "a warm start compares with real images: set warm_start_share to 0",
            ),
            "whitening": (
                self.normalisation.whitening != "none",
                "whitening is fitted on the images: set whitening to none",
            ),
            "validate_every": (
                self.distillation.validate_every > 0,
                "choosing an iteration reads the validation images: set validate_every to 0",
            ),
        }
        for name, (reads, message) in refused.items():
            if reads:
                yield InvalidSetting(name, f"Under privacy dp, {message}.")

    def flat(self) -> dict[str, Any]:
        """Every setting by its name, sections left out."""
        return {
            name: getattr(getattr(self, one.section) if one.section else self, name)
            for name, one in SETTINGS.items()
        }

    def override(self, settings: Mapping[str, Any]) -> Self:
        """Return a copy with some settings changed.

        Args:
            settings: Values by flat name, e.g. ``{"iterations": 5, "seed": 3}``.

        Raises:
            ConfigError: For a name that no section has, or a value out of range.
        """
        if unknown := sorted(set(settings) - set(SETTINGS)):
            near = {name for one in unknown for name in get_close_matches(one, SETTINGS, 3)}
            hint = (
                f"did you mean {', '.join(sorted(near))}?" if near else "Config().flat() has all."
            )
            raise ConfigError(f"Unknown setting {', '.join(unknown)}: {hint}")
        changed = {name: _from_json(value) for name, value in settings.items()}
        _raise_for([*_out_of_range(changed)])
        sections: dict[str, dict[str, Any]] = {}
        for name, value in changed.items():
            sections.setdefault(SETTINGS[name].section, {})[name] = value
        changes = sections.pop("", {})
        for section, values in sections.items():
            changes[section] = replace(getattr(self, section), **values)
        return replace(self, **changes)

    @property
    def data_seed(self) -> int:
        """Seed of all draws that touch the hospital's images."""
        return self.seed if self.private_seed is None else self.private_seed

    def with_private_seed(self, private_seed: int | None) -> Self:
        """Return a copy whose draws that touch images follow from a secret."""
        return replace(self, private_seed=private_seed)

    def other_networks(self) -> tuple[NetworkName, ...]:
        """``cross_networks``, each once, without the one that the set is made for."""
        named = dict.fromkeys(self.evaluation.cross_networks)
        return tuple(name for name in named if name != self.network.network)

    def across(self, network: NetworkName) -> Self:
        """Settings of an evaluation on another network."""
        networks = min(self.evaluation.evaluation_networks, MOST_CROSS_NETWORKS)
        return self.override({"network": network, "evaluation_networks": networks})

    def to_dict(self) -> dict[str, Any]:
        """All settings as JSON knows them, by section; :meth:`from_dict` reads them back.

        The private seed is left out: these settings are published.
        """
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        del document["private_seed"]
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote.

        Raises:
            ConfigError: For unknown or invalid settings.
        """
        distillation = document.get("distillation")
        if isinstance(distillation, Mapping) and "image_format" not in distillation:
            # Up to version 0.3 images were floats, and a run that goes on stays as it was.
            older = {**distillation, "image_format": "float"}
            document = {**document, "distillation": older}
        try:
            sections = {
                # A document may be older than a section: what it does not name is as by default.
                name: kind(**{k: _from_json(v) for k, v in document.get(name, {}).items()})
                for name, kind in _SECTIONS.items()
            }
            plain = {name: document[name] for name in ("preset", "seed", "image_size")}
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"These are not the settings of a run: {error}.") from error
        return cls(**plain, **sections)

    def teacher_key(self) -> str:
        """Name of the settings that shape a teacher, 16 hexadecimal digits.

        Two runs with the same key on the same images can share their trajectories. How many
        teachers there are is left out: a run with more of them adds to those recorded.
        """
        document = self.to_dict()
        shaped_by = ("seed", "image_size", "network", "augmentation", "teacher")
        shaping = {name: document[name] for name in shaped_by}
        shaping["precision"] = self.compute.precision
        del shaping["teacher"]["teachers"]
        if self.teacher.teacher_gap == 0 or self.teacher.teacher_flatness == 0:
            # Without effect; so teachers from before there was such a setting keep their key.
            del shaping["teacher"]["teacher_gap"]
        if self.normalisation.whitening != "none":
            # Only then; so teachers from before there was such a setting keep their key.
            shaping["normalisation"] = document["normalisation"]
        if self.protection.privacy == "dp":
            # The noise is calibrated to all teachers together: more of them need more noise.
            shaping |= {"protection": document["protection"], "teachers": self.teacher.teachers}
            if self.protection.canaries == 0:
                # As teachers from before there was such a setting.
                del shaping["protection"]["canaries"]
        text = json.dumps(shaping, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _from_json(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _out_of_range(values: Mapping[str, Any]) -> Iterator[InvalidSetting]:
    for name, value in values.items():
        if message := SETTINGS[name].error(value):
            yield InvalidSetting(name, message, SETTINGS[name].allowed)


def _raise_for(invalid: Sequence[InvalidSetting]) -> None:
    if invalid:
        raise ConfigError(" ".join(one.message for one in invalid[:5]), invalid)


Kind = Literal["whole number", "number", "numbers", "word", "words"]
_KIND_OF: Mapping[Any, str] = {int: "whole number", float: "number"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting, as :func:`setting` and the type of its field declare it.

    Attributes:
        name: Unique across sections.
        section: Section of :class:`Config`; empty for a field of its own.
        kind: What a value is; ``numbers`` and ``words`` are tuples.
    """

    name: str
    section: str
    kind: Kind
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    unit: str
    group: str
    counted: bool

    @property
    def allowed(self) -> list[Any]:
        """The smallest and the largest number, or the words; of a list, of each member."""
        return list(self.choices) or [self.minimum, self.maximum]

    def error(self, value: Any) -> str | None:
        """Why it may not have a value, in a sentence; None where it may."""
        if self.kind == "word":
            if value in self.choices:
                return None
            return f"{self.name} is {_shown(value)}: it may be {', '.join(self.choices)}."
        if self.kind not in ("words", "numbers"):
            return self._number_error(value)
        is_list = isinstance(value, tuple) and len(value) <= _MOST_ITEMS
        if self.kind == "words":
            if is_list and all(item in self.choices for item in value):
                return None
            words = ", ".join(self.choices)
            return f"{self.name} is a list of at most {_MOST_ITEMS}: it may hold {words}."
        if not is_list or not value:
            return f"{self.name} is a list of at least one number and at most {_MOST_ITEMS}."
        return next(filter(None, map(self._number_error, value)), None)

    def _number_error(self, value: Any) -> str | None:
        assert self.minimum is not None, f"{self.name} is declared without a range"
        assert self.maximum is not None, f"{self.name} is declared without a range"
        kinds = (int,) if self.kind == "whole number" else (int, float)
        # bool is an int to Python and nan is neither below nor above: both are refused by name.
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        if is_number and self.minimum <= value <= self.maximum:
            return None
        kind = "a whole number" if self.kind == "whole number" else "a number"
        return (
            f"{self.name} is {_shown(value)}: it has to be {kind} from {self.minimum:,} to "
            f"{self.maximum:,}."
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _declared_settings() -> Iterator[Setting]:
    for section, holder in {"": Config, **_SECTIONS}.items():
        for one in fields(holder):
            if one.metadata:
                is_list = get_origin(one.type) is tuple
                item = get_args(one.type)[0] if is_list else one.type
                declared = dict(one.metadata)
                declared["choices"] = get_args(item) or declared["choices"]
                declared["group"] = declared["group"] or section
                kind = _KIND_OF.get(item, "word") + ("s" if is_list else "")
                yield Setting(name=one.name, section=section, kind=cast(Kind, kind), **declared)


SETTINGS: Mapping[str, Setting] = {one.name: one for one in _declared_settings()}
"""Every setting by name, in the order of :meth:`Config.flat`."""
