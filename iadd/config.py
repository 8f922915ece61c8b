"""Every setting of a run, checked when it is made.

A run is described by one frozen :class:`Config`. Its sections follow the phases of the paper;
the names are the paper's where it has them. Field names are unique across sections, so that a
flat mapping (a preset's overrides, a command line, a JSON body) can name any of them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, Self, get_args

Initialisation = Literal["real", "k_mean", "noise"]
StartFrom = Literal["all", "correct"]
Method = Literal["iadd", "mtt", "ddpp"]
WeightsGradient = Literal["mean", "layer", "literal"]
NetworkName = Literal["convnet", "alexnet", "vgg11", "resnet18"]
TeacherSampling = Literal["all", "balanced"]
Precision = Literal["float32", "tf32", "bfloat16"]
Compilation = Literal["auto", "always", "never"]

AUGMENTATIONS = ("color", "crop", "cutout", "flip", "scale", "rotate")


class ConfigError(ValueError):
    """A setting is unknown or out of range. The message names it and says what is allowed."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The network that teachers, students and evaluation networks share (paper, section 4.1)."""

    network: NetworkName = "convnet"
    """``convnet``: blocks of 3×3 convolution, instance norm, ReLU, 2×2 average pooling.
    ``alexnet``, ``vgg11``, ``resnet18``: the paper's others (section 4.4), with instance norm."""
    depth: int = 5
    """Blocks of a ``convnet``, 1 to 8. Five for 112×112 images."""
    width: int = 128
    """Filters per convolution of a ``convnet``, 1 to 1024. The paper's is 128."""


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """Differentiable Siamese augmentation (Zhao and Bilen 2021; the paper's 𝒜 of eq. 2)."""

    augmentation: tuple[str, ...] = ("color", "crop", "cutout", "scale", "rotate")
    """Operations to draw from, one per step. ``flip`` is left out for chest X-rays: it would show
    the heart on the patient's right."""
    scale_ratio: float = 1.2
    """Largest zoom, and its inverse the smallest, each axis on its own. At least 1."""
    rotate_degrees: float = 15.0
    """Rotation to either side at most, 0 to 180."""
    crop_padding: float = 0.125
    """Shift at most, as a share of the image's side, 0 to 0.5."""
    cutout_ratio: float = 0.5
    """Side of the blanked square, as a share of the image's side, 0 to 1."""
    brightness: float = 1.0
    """Width of the uniform shift of brightness, in units of normalised intensity. At least 0."""
    contrast: float = 0.5
    """Smallest contrast factor; the largest is one more. At least 0."""
    saturation: float = 2.0
    """Largest saturation factor. Grey images have none to change. At least 0."""


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Expert trajectories (paper, section 3.1)."""

    teachers: int = 100
    """Networks to train, N in the paper. 1 to 10,000."""
    teacher_epochs: int = 50
    """Passes over the training images; a snapshot is kept after each. 1 to 1,000."""
    teacher_batch_size: int = 256
    """Images per step, 1 to 65,536. The last batch of an epoch may be smaller."""
    teacher_lr: float = 0.01
    """Learning rate of SGD. Above 0, at most 10."""
    teacher_momentum: float = 0.0
    """Momentum of SGD, 0 to below 1."""
    teacher_sampling: TeacherSampling = "all"
    """``all``: an epoch is every training image once, as in the paper. ``balanced``: as many of
    each class as the smallest has, drawn anew for each epoch, so that a rare disease weighs as
    much as a common one and an epoch of an unbalanced set is short."""
    teacher_flatness: float = 0.0
    """ρ: each step follows the gradient at the point that is uphill by ρ (sharpness-aware
    minimisation, Foret et al. 2021), so that teachers settle in flat minima and their
    trajectories are easier to follow (Du et al. 2023, FTD). 0 is plain SGD. 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class DistillationConfig:
    """Learning the distilled set (paper, sections 3.2 and 3.3, Algorithm 1)."""

    images_per_class: int = 20
    """IPC: distilled images per class. 1 to 1,000."""
    initialisation: Initialisation = "k_mean"
    """What the images start from. ``real``: training images, as in the paper. ``k_mean``: each the
    mean of ``k_mean_images`` different training images of its class. ``noise``: no data at all."""
    k_mean_images: int = 16
    """Images averaged into one start under ``k_mean``. 16 to 1,000; a class must hold as many."""
    start_from: StartFrom = "all"
    """Training images that starts are made of: ``all``, or ``correct``, those that most teachers
    classify correctly at their last epoch (Guo et al. 2024, DATM)."""
    method: Method = "iadd"
    """``iadd``: W is learned. ``mtt``: W stays at ones (Cazenavette et al. 2022). ``ddpp``: W is 0
    in each iteration where student and teacher are less alike than ``pruning_threshold`` and 1
    elsewhere (Li et al. 2023)."""
    pruning_threshold: float = 0.5
    """ε of ``ddpp``: the smallest similarity of a parameter that counts, 0 to 1; 0 prunes none."""
    iterations: int = 5000
    """T: iterations of Algorithm 1. 1 to 1,000,000."""
    syn_steps: int = 20
    """J: student updates per iteration. 1 to 1,000."""
    expert_epochs: int = 2
    """K: teacher epochs that the student has to cover. 1 to ``teacher_epochs``."""
    max_start_epoch: int = 10
    """I⁺, exclusive: students start at a teacher's epoch below it. At least 1, and
    I⁺ − 1 + K may not pass ``teacher_epochs``."""
    first_max_start_epoch: int = 0
    """I⁺ at the first iteration, from where it grows evenly to ``max_start_epoch``: early, easy
    epochs are matched first (Guo et al. 2024, DATM). 0 starts with ``max_start_epoch`` itself."""
    start_growth: float = 0.5
    """Share of the iterations over which I⁺ grows, 0 to 1; without effect where
    ``first_max_start_epoch`` is 0."""
    syn_batch_size: int = 0
    """Distilled images per student update; 0 takes all of them. 0 to 65,536."""
    lr_img: float = 1000.0
    """ζ: learning rate of the images (eq. 12). At least 0."""
    lr_lr: float = 1e-6
    """μ: learning rate of α (eq. 10). At least 0."""
    lr_weights: float = 1e-4
    """η: learning rate of W (eq. 11). At least 0."""
    weights_gradient: WeightsGradient = "mean"
    """``mean``: η acts on P·∂L/∂W, the gradient of a loss averaged over the P parameters.
    ``layer``: on 2·∂L/∂W over its mean in the layer, so that W falls at one pace in each layer.
    ``literal``: on ∂L/∂W itself, too small for float32 to see (docs/adr/002)."""
    syn_lr: float = 0.01
    """α₀: start of the learnable student learning rate. Above 0, at most 10."""
    momentum: float = 0.5
    """Momentum of SGD on the images and on α, 0 to below 1."""
    image_average: float = 0.0
    """β: the images kept are an exponential moving average over the iterations, β·average +
    (1 − β)·images (Du et al. 2023, FTD). 0 keeps the images themselves. 0 to below 1."""
    micro_batch_size: int = 0
    """Distilled images in memory at once; 0 takes the whole mini-batch. Changes memory, and the
    result by rounding alone. 0 to 65,536."""
    validate_every: int = 100
    """Iterations between two evaluations on the validation split. 0 to 1,000,000; 0 never, and the
    last iteration is kept."""
    validation_networks: int = 2
    """Networks per evaluation on the validation split. 1 to 100."""


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Training networks from scratch on a small set, to see what it is worth (section 4.1)."""

    evaluation_networks: int = 5
    """Networks per figure; their spread is the ± of every table. 1 to 100."""
    evaluation_epochs: int = 1000
    """Passes over the small set; the learning rate falls to a tenth at half time. 1 to 100,000."""
    evaluation_batch_size: int = 256
    """Images per step, at most; a smaller set is taken whole. 1 to 65,536."""
    evaluation_momentum: float = 0.9
    """Momentum of SGD, 0 to below 1."""
    baseline_lrs: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03)
    """Learning rates that a baseline of real images may choose from, on validation."""
    full_epochs: int = 20
    """Passes over the whole training set for the figure of the full data. 1 to 1,000."""
    cross_networks: tuple[NetworkName, ...] = ()
    """Other networks that the distilled set is tried with (section 4.4), beside as many random real
    images; three of each at most. The one that it is made for is measured anyway."""


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    """How the same mathematics is computed: speed and memory, and the result by rounding alone."""

    precision: Precision = "float32"
    """``float32`` is exact. ``tf32`` rounds the inputs of convolutions and matrix products to 10
    bits of mantissa, on GPUs that can; ``bfloat16`` those of convolutions to 7 bits. Sums, norms
    and θ stay float32."""
    compilation: Compilation = "auto"
    """``auto`` compiles the matching step where the run is long enough to win the time back."""
    networks_at_once: int = 0
    """Networks of the same form (teachers, evaluation networks) trained in one go; 0 takes as many
    as pay on the device. 0 to 100."""


_SECTIONS: dict[str, type] = {
    "network": NetworkConfig,
    "augmentation": AugmentationConfig,
    "teacher": TeacherConfig,
    "distillation": DistillationConfig,
    "evaluation": EvaluationConfig,
    "compute": ComputeConfig,
}

MOST_CROSS_NETWORKS = 3
"""Networks per figure of each of the ``cross_networks``, at most: they only tell whether the set
serves others too."""

LIMITS: dict[str, tuple[float, float]] = {
    "depth": (1, 8),
    "width": (1, 1024),
    "scale_ratio": (1, 10),
    "rotate_degrees": (0, 180),
    "crop_padding": (0, 0.5),
    "cutout_ratio": (0, 1),
    "brightness": (0, 10),
    "contrast": (0, 10),
    "saturation": (0, 10),
    "teachers": (1, 10_000),
    "teacher_epochs": (1, 1_000),
    "teacher_batch_size": (1, 65_536),
    "teacher_lr": (1e-8, 10),
    "teacher_momentum": (0, 0.999),
    "teacher_flatness": (0, 1),
    "images_per_class": (1, 1_000),
    "k_mean_images": (16, 1_000),
    "pruning_threshold": (0, 1),
    "iterations": (1, 1_000_000),
    "syn_steps": (1, 1_000),
    "expert_epochs": (1, 1_000),
    "max_start_epoch": (1, 1_000),
    "first_max_start_epoch": (0, 1_000),
    "start_growth": (0, 1),
    "syn_batch_size": (0, 65_536),
    "lr_img": (0, 1e9),
    "lr_lr": (0, 1),
    "lr_weights": (0, 1e6),
    "syn_lr": (1e-8, 10),
    "momentum": (0, 0.999),
    "image_average": (0, 0.9999),
    "micro_batch_size": (0, 65_536),
    "validate_every": (0, 1_000_000),
    "validation_networks": (1, 100),
    "evaluation_networks": (1, 100),
    "evaluation_epochs": (1, 100_000),
    "evaluation_batch_size": (1, 65_536),
    "evaluation_momentum": (0, 0.999),
    "full_epochs": (1, 1_000),
    "networks_at_once": (0, 100),
    "seed": (0, 2**31 - 1),
    "image_size": (8, 1024),
}
"""Smallest and largest value of every numeric setting, both allowed."""

BASELINE_LRS = (1e-8, 10.0)
"""Smallest and largest of ``baseline_lrs``."""

CHOICES: dict[str, tuple[str, ...]] = {
    "network": get_args(NetworkName),
    "initialisation": get_args(Initialisation),
    "start_from": get_args(StartFrom),
    "method": get_args(Method),
    "teacher_sampling": get_args(TeacherSampling),
    "weights_gradient": get_args(WeightsGradient),
    "precision": get_args(Precision),
    "compilation": get_args(Compilation),
}
"""The words that a setting may take."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of one run: the argument of every long call of the library.

    Raises:
        ConfigError: When it is made with a value out of range, or with values that do not go
            together.
    """

    preset: str = "custom"
    """Name of the preset it came from."""
    seed: int = 0
    """Every draw of the run follows from it. 0 to 2³¹ − 1."""
    image_size: int = 112
    """Side of the square images, in pixels. 8 to 1,024."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)

    def __post_init__(self) -> None:
        for name, value in self.flat().items():
            _check(name, value)
        last = self.distillation.max_start_epoch - 1 + self.distillation.expert_epochs
        if last > self.teacher.teacher_epochs:
            raise ConfigError(
                f"max_start_epoch − 1 + expert_epochs is {last}, and the teachers have only "
                f"{self.teacher.teacher_epochs} epochs: lower one of them or raise teacher_epochs."
            )
        if self.distillation.first_max_start_epoch > self.distillation.max_start_epoch:
            raise ConfigError(
                f"first_max_start_epoch is {self.distillation.first_max_start_epoch}, and I⁺ grows "
                f"to max_start_epoch, {self.distillation.max_start_epoch}: lower the first or "
                "raise the second."
            )
        uses_convnet = "convnet" in (self.network.network, *self.evaluation.cross_networks)
        halvings = self.network.depth if uses_convnet else 0
        if self.image_size >> halvings < 1:
            raise ConfigError(
                f"depth {self.network.depth} halves {self.image_size} pixels to nothing: "
                f"depth may be at most {self.image_size.bit_length() - 1}."
            )

    def flat(self) -> dict[str, Any]:
        """Every setting by its name, sections left out."""
        settings: dict[str, Any] = {"seed": self.seed, "image_size": self.image_size}
        for section in _SECTIONS:
            part = getattr(self, section)
            settings |= {f.name: getattr(part, f.name) for f in fields(part)}
        return settings

    def override(self, settings: Mapping[str, Any]) -> Self:
        """Return a copy with some settings changed.

        Args:
            settings: Values by flat name, e.g. ``{"iterations": 5, "seed": 3}``.

        Raises:
            ConfigError: For a name that no section has, or a value out of range.
        """
        known = self.flat()
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise ConfigError(
                f"Unknown setting {', '.join(unknown)}: known are {', '.join(sorted(known))}."
            )
        changes: dict[str, Any] = {n: settings[n] for n in ("seed", "image_size") if n in settings}
        for section, kind in _SECTIONS.items():
            mine = {
                f.name: _from_json(settings[f.name]) for f in fields(kind) if f.name in settings
            }
            if mine:
                changes[section] = replace(getattr(self, section), **mine)
        return replace(self, **changes)

    def other_networks(self) -> tuple[NetworkName, ...]:
        """``cross_networks``, each once, without the one that the set is made for."""
        named = dict.fromkeys(self.evaluation.cross_networks)
        return tuple(name for name in named if name != self.network.network)

    def across(self, network: NetworkName) -> Self:
        """Settings of an evaluation on another network."""
        networks = min(self.evaluation.evaluation_networks, MOST_CROSS_NETWORKS)
        return self.override({"network": network, "evaluation_networks": networks})

    def to_dict(self) -> dict[str, Any]:
        """All settings as JSON knows them, by section; :meth:`from_dict` reads them back."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote.

        Raises:
            ConfigError: For unknown or invalid settings.
        """
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
        text = json.dumps(shaping, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _from_json(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(name: str, value: Any) -> None:
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise ConfigError(f"{name} is {value!r}: it may be {', '.join(CHOICES[name])}.")
    elif name == "augmentation":
        if not isinstance(value, tuple) or not set(value) <= set(AUGMENTATIONS):
            raise ConfigError(f"augmentation may hold {', '.join(AUGMENTATIONS)}.")
    elif name == "cross_networks":
        if not isinstance(value, tuple) or not set(value) <= set(CHOICES["network"]):
            raise ConfigError(f"cross_networks may hold {', '.join(CHOICES['network'])}.")
    elif name == "baseline_lrs":
        if not isinstance(value, tuple) or not value:
            raise ConfigError("baseline_lrs is a list of at least one learning rate.")
        for lr in value:
            _check_number(name, lr, *BASELINE_LRS, whole=False)
    else:
        _check_number(name, value, *LIMITS[name], whole=name in _WHOLE)


def _check_number(name: str, value: Any, low: float, high: float, *, whole: bool) -> None:
    # bool is an int to Python and nan is neither below nor above: both are refused by name.
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        shown = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}…"
        raise ConfigError(f"{name} is {shown}: it is {kind} from {low:,} to {high:,}.")


_WHOLE = {"seed", "image_size"} | {
    f.name for kind in _SECTIONS.values() for f in fields(kind) if f.type in (int, "int")
}
