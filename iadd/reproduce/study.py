"""Defines studies. Another experiment is another :class:`Study`, without other code."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from iadd.config import Config, NetworkConfig
from iadd.reproduce.published import (
    TABLE_1_FIGURES,
    TABLE_1_NOTE,
    TABLE_4_CLASSES,
    TABLE_4_FIGURES,
    TABLE_4_NOTE,
    Published,
)

Kind = Literal[
    "distilled",
    "random",
    "herding",
    "forgetting",
    "centres",
    "start",
    "full",
    "subset",
    "teacher",
    "scratch",
    "transfer",
]

RESNET50 = "ResNet50"
"""Network of ``scratch`` and ``transfer`` rows."""

ARCHITECTURES: dict[str, Mapping[str, Any]] = {
    "ConvNetD3": {"network": "convnet", "depth": 3},
    "ConvNetD4": {"network": "convnet", "depth": 4},
    "ConvNetD5": {"network": "convnet", "depth": 5},
    "AlexNet": {"network": "alexnet"},
    "VGG11": {"network": "vgg11"},
    "ResNet18": {"network": "resnet18"},
}
"""Networks that distilled sets are tried on (paper, section 4.4), with instance norm."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a study: the training data of its networks, and how it is made.

    Attributes:
        name: Name of the row, and of its folder.
        kind: ``distilled``: a distilled set; ``random``, ``herding``, ``forgetting``: as many real
            images; ``centres``: the centres of as many clusters of each class (k-means);
            ``start``: what a distillation starts from; ``full``: all real images; ``subset``: one
            draw of as many real images, which can be attacked; ``teacher``: the teachers, as they
            are after their last epoch; ``scratch``, ``transfer``: as many real images, ResNet50,
            without and with ImageNet's weights.
        settings: The row's changes of the study's settings.
        factors: Settings that it multiplies instead, by name.
        note: Description of the row in a few words.
    """

    name: str
    kind: Kind = "distilled"
    settings: Mapping[str, Any] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def config(self, base: Config, seed: int) -> Config:
        """Return the settings of one run.

        Raises:
            ConfigError: When the row's changes do not fit the study's settings.
        """
        changes = {name: base.flat()[name] * factor for name, factor in self.factors.items()}
        return base.override({**changes, **self.settings, "seed": seed})

    def network_label(self, config: Config) -> str:
        """Return the name in tables of the network that the row is about."""
        if self.kind in ("scratch", "transfer"):
            return RESNET50
        return network_label(config.network)

    @property
    def folder(self) -> str:
        """The name of the row's folder, safe for any file system."""
        return re.sub(r"[^\w.+-]+", "-", self.name).strip("-.")


@dataclass(frozen=True, kw_only=True)
class Study:
    """An experiment.

    Attributes:
        name: Name of its command.
        title: Heading of its table.
        about: Sentence that says what it compares.
        rows: Its rows, in order.
        reference: Name of the row that the others are compared with, seed by seed.
        architectures: Names in ``ARCHITECTURES`` that every distilled set is tried on, beside the
            network that it was made with.
        published: The paper's figures, by name of the row.
        published_classes: Number of classes that these were measured on; 0 where there are none.
        published_note: Sentence that says where these are from.
        reads_published_sets: Whether its images are one of the sets of
            :mod:`iadd.data.published_sets` and not X-rays.
        attacked: Whether every row is attacked, to tell what it says of single images.
        robust: Whether every row but teachers is evaluated without augmentation too, for
            DD-Ranking's scores (:mod:`iadd.evaluation.robustness`).
        preset: Preset that its command takes unless another is named; empty where the set of
            images decides.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    reference: str
    architectures: tuple[str, ...] = ()
    about: str = ""
    published: Mapping[str, Published] = field(default_factory=dict)
    published_classes: int = 0
    published_note: str = ""
    reads_published_sets: bool = False
    attacked: bool = False
    robust: bool = False
    preset: str = "paper_covid_cxr"


_IADD = Row(name="iadd", settings={"method": "iadd"}, note="W learned")
_MTT = Row(name="mtt", settings={"method": "mtt"}, note="W at ones")
_DDPP = Row(name="ddpp", settings={"method": "ddpp"}, note="unlike parameters pruned")
_HOP_TM = Row(name="hop-tm", settings={"method": "hop_tm"}, note="parameters enter, angles")
_RANDOM = Row(name="random", kind="random", note="real images, drawn")
_HERDING = Row(name="herding", kind="herding", note="real images, nearest the mean")
_FORGETTING = Row(name="forgetting", kind="forgetting", note="real images, most forgotten")
_FULL = Row(name="full", kind="full", note="all training images")

_CONDENSING = {"teachers": 1, "warm_start_share": 0.0}
_DM = Row(name="dm", settings={**_CONDENSING, "method": "dm", "lr_img": 1.0}, note="features")
_DC = Row(name="dc", settings={**_CONDENSING, "method": "dc", "lr_img": 0.1}, note="gradients")
_DSA = Row(
    name="dsa",
    settings={**_CONDENSING, "method": "dsa", "lr_img": 0.1},
    note="gradients, augmented",
)

TABLE_1 = Study(
    name="table1",
    title="Published sets of images (paper, section 4.2, Table 1)",
    about="IADD, MTT, DDPP, DC, DSA, DM and selected images on CIFAR-10, CIFAR-100 or Tiny "
    "ImageNet, as published (section 4.2, Table 1).",
    rows=(_RANDOM, _FORGETTING, _HERDING, _DC, _DSA, _DM, _MTT, _DDPP, _IADD, _FULL),
    reference="mtt",
    published_note=TABLE_1_NOTE,
    reads_published_sets=True,
    preset="",
)

TABLE_4 = Study(
    name="table4",
    title="COVID-19 detection (paper, section 4.5, Table 4)",
    about="IADD, MTT, DDPP, selected images and all images on X-rays (section 4.5, Table 4).",
    rows=(
        _IADD,
        _MTT,
        _DDPP,
        _RANDOM,
        _HERDING,
        _FORGETTING,
        # 1% of the paper's training images.
        Row(
            name="from-scratch",
            kind="scratch",
            settings={"images_per_class": 42},
            note="ResNet50, real images",
        ),
        Row(
            name="transfer",
            kind="transfer",
            settings={"images_per_class": 42},
            note="ResNet50 from ImageNet's weights, real images",
        ),
        _FULL,
    ),
    reference="mtt",
    architectures=tuple(ARCHITECTURES),
    published=TABLE_4_FIGURES,
    published_classes=TABLE_4_CLASSES,
    published_note=TABLE_4_NOTE,
)

_YARDSTICKS = (
    Row(name="start", kind="start", note="not distilled"),
    _RANDOM,
    _HERDING,
    Row(name="centres", kind="centres", note="centres of k-means"),
    _FULL,
)

METHODS = Study(
    name="methods",
    title="Methods beside each other, everything else equal",
    about="All methods of the engine beside each other, and beside what needs no distillation.",
    rows=(
        _IADD,
        _MTT,
        _DDPP,
        _HOP_TM,
        Row(
            name="att",
            settings={"method": "mtt", "matched_step": "nearest"},
            note="nearest student step",
        ),
        Row(name="tesla", settings={"method": "mtt", "adjoint": "frozen"}, note="λ frozen"),
        _DM,
        _DC,
        _DSA,
        *_YARDSTICKS,
    ),
    reference="mtt",
    robust=True,
)

IMPROVEMENTS = Study(
    name="improvements",
    title="The effect of each setting, everything else equal",
    about="The effect of W against MTT, and of each later finding, everything else equal.",
    rows=(
        _IADD,
        _MTT,
        _DDPP,
        Row(
            name="iadd-relative",
            settings={"method": "iadd", "relative_to": "weighted"},
            note="W on both sides of the fraction",
        ),
        _HOP_TM,
        Row(name="w-tenth", factors={"lr_weights": 0.1}, note="rate of W ×0.1"),
        Row(name="w-tenfold", factors={"lr_weights": 10}, note="rate of W ×10"),
        Row(name="w-by-layer", settings={"weights_gradient": "layer"}, note="rate of W by layer"),
        Row(name="average-0.9", settings={"image_average": 0.9}, note="average of the images"),
        Row(name="average-0.99", settings={"image_average": 0.99}, note="average of the images"),
        Row(name="growing-start", settings={"first_max_start_epoch": 1}, note="I⁺ grows from 1"),
        Row(name="flat-teachers", settings={"teacher_flatness": 0.05}, note="flat minima"),
        Row(
            name="gap-teachers",
            settings={"teacher_flatness": 0.05, "teacher_gap": 0.4},
            note="flat minima, surrogate gap",
        ),
        Row(
            name="half-adjoint",
            settings={"differentiated_share": 0.5},
            note="the last half of the steps differentiated",
        ),
        Row(
            name="correct-starts",
            settings={"start_from": "correct"},
            note="starts that teachers classify correctly",
        ),
    ),
    reference="mtt",
)

_PROVEN = {
    "privacy": "dp",
    "initialisation": "public",
    "validate_every": 0,
    "teacher_sampling": "all",
    "teacher_flatness": 0.0,
    "start_from": "all",
    "warm_start_share": 0.0,
}

PRIVACY = Study(
    name="privacy",
    title="What each start and protection costs, and what attacks find",
    about="Starts and protections side by side: utility, and what attacks find.",
    rows=(
        Row(name="real", settings={"initialisation": "real"}, note="starts: training images"),
        Row(name="k_mean", settings={"initialisation": "k_mean"}, note="starts: means of 16"),
        Row(name="public", settings={"initialisation": "public"}, note="starts: generated chests"),
        Row(name="dp_mean", settings={"initialisation": "dp_mean"}, note="starts: noisy means"),
        Row(name="noise", settings={"initialisation": "noise"}, note="starts: noise"),
        Row(
            name="noise-threefold",
            settings={"initialisation": "noise"},
            factors={"iterations": 3},
            note="noise, three times the iterations",
        ),
        *(
            Row(
                name=f"dp-{epsilon}",
                settings={**_PROVEN, "epsilon": epsilon},
                note=f"ε = {epsilon}",
            )
            for epsilon in (8, 3, 1)
        ),
        Row(name="subset", kind="subset", note="real images, drawn"),
        Row(name="teacher", kind="teacher", note="the teachers themselves"),
        *(
            Row(
                name=f"teacher-dp-{epsilon}",
                kind="teacher",
                settings={**_PROVEN, "epsilon": epsilon},
                note=f"the teachers of ε = {epsilon}",
            )
            for epsilon in (8, 3, 1)
        ),
    ),
    reference="public",
    attacked=True,
    preset="cpu_small",
)

STUDIES = {study.name: study for study in (TABLE_1, TABLE_4, METHODS, IMPROVEMENTS, PRIVACY)}
"""Every study by name."""


def on_published_set(study: Study, name: str, images_per_class: int, training: int) -> Study:
    """Return a study with the paper's figures of one published set at one size.

    Args:
        study: The study.
        name: Name of the set: a key of :data:`iadd.reproduce.published.TABLE_1_FIGURES`.
        images_per_class: IPC.
        training: Training images that were read, validation included.
    """
    table = TABLE_1_FIGURES[name]
    note = study.published_note
    if training != table.train:
        note += (
            f" {name} has {table.train:,} training images and this archive {training:,}: compare "
            "rows with each other, not with the paper's."
        )
    return replace(
        study,
        title=f"{name}, {images_per_class} per class (paper, section 4.2, Table 1)",
        published=table.figures(images_per_class),
        published_classes=table.classes,
        published_note=note,
    )


def network_label(network: NetworkConfig) -> str:
    """Return the name of a network in tables: ``ConvNetD5``, ``ResNet18``."""
    if network.network == "convnet":
        return f"ConvNetD{network.depth}"
    labels = {settings["network"]: label for label, settings in ARCHITECTURES.items()}
    return labels[network.network]
