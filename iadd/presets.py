"""Named settings. Every figure of a report can be traced to one of these and its overrides."""

import json
from collections.abc import Callable
from typing import Any

from iadd.config import (
    AUGMENTATIONS,
    SETTINGS,
    AugmentationConfig,
    Config,
    DistillationConfig,
    EvaluationConfig,
    NetworkConfig,
    NetworkName,
    NormalisationConfig,
    ProtectionConfig,
    TeacherConfig,
)

_CANARIES = 100
"""Of presets with a proof. On average half of them join some thousand patients."""

_PAPERS_OTHERS: tuple[NetworkName, ...] = ("alexnet", "vgg11", "resnet18")
"""The networks of section 4.4."""


def cpu_demo() -> Config:
    """A job of minutes on two cores, to see the whole way once. No setting for results."""
    return Config(
        preset="cpu_demo",
        network=NetworkConfig(depth=5, width=16),
        augmentation=AugmentationConfig(
            augmentation=("crop", "scale", "rotate"),
            crop_padding=0.06,
            scale_ratio=1.1,
            rotate_degrees=5.0,
        ),
        teacher=TeacherConfig(
            teachers=2,
            teacher_epochs=8,
            teacher_batch_size=16,
            teacher_lr=0.02,
            teacher_momentum=0.9,
            teacher_sampling="balanced",
        ),
        distillation=DistillationConfig(
            images_per_class=2,
            initialisation="public",
            iterations=330,
            # A few iterations that follow teachers lead nowhere; comparisons with real images do.
            warm_start_share=0.91,
            warm_start_lr=5.0,
            real_batch_size=32,
            syn_steps=10,
            expert_epochs=1,
            max_start_epoch=4,
            lr_img=50.0,
            lr_lr=1e-6,
            syn_lr=0.03,
            validate_every=66,
            validation_networks=2,
        ),
        evaluation=EvaluationConfig(
            evaluation_epochs=100, baseline_lrs=(0.003, 0.01, 0.03), full_epochs=12
        ),
    )


def cpu_small() -> Config:
    """A job of an hour or two on a workstation without a GPU.

    A narrow ConvNetD5 and three images per class. The regime, what it reaches on real X-rays, and
    why W moves ten times as fast as in the paper, is in ``docs/results.md``.
    """
    return Config(
        preset="cpu_small",
        network=NetworkConfig(depth=5, width=16),
        augmentation=AugmentationConfig(augmentation=("crop", "cutout", "scale", "rotate")),
        teacher=TeacherConfig(
            teachers=4,
            teacher_epochs=20,
            teacher_batch_size=64,
            teacher_lr=0.02,
            teacher_sampling="balanced",
        ),
        distillation=DistillationConfig(
            images_per_class=3,
            initialisation="public",
            iterations=500,
            syn_steps=20,
            expert_epochs=2,
            max_start_epoch=6,
            lr_img=1500.0,
            lr_lr=1e-6,
            lr_weights=1e-3,
            syn_lr=0.015,
            validate_every=50,
        ),
        evaluation=EvaluationConfig(evaluation_epochs=150, cross_networks=("resnet18",)),
    )


def gpu_evening() -> Config:
    """A job of an evening on one GPU: the paper's network, fewer teachers."""
    return Config(
        preset="gpu_evening",
        teacher=TeacherConfig(teachers=20, teacher_epochs=50),
        distillation=DistillationConfig(
            images_per_class=20,
            initialisation="public",
            iterations=3000,
            syn_steps=20,
            syn_lr=0.01,
            lr_lr=1e-6,
        ),
        evaluation=EvaluationConfig(full_epochs=50, cross_networks=_PAPERS_OTHERS),
    )


def paper_covid_cxr() -> Config:
    """The paper's COVID-19 setting (section 4.5), with the augmentation that it cites.

    100 teachers of 50 epochs, ConvNetD5 at 112×112, 20 images per class from real ones, 5,000
    iterations. What the paper leaves open (J, K, I⁺, learning rates) is MTT's published setting
    for 128×128 images.
    """
    return Config(
        preset="paper_covid_cxr",
        augmentation=AugmentationConfig(augmentation=AUGMENTATIONS),
        teacher=TeacherConfig(teachers=100, teacher_epochs=50),
        distillation=DistillationConfig(
            images_per_class=20,
            initialisation="real",
            image_format="float",
            iterations=5000,
            syn_steps=20,
            expert_epochs=2,
            max_start_epoch=10,
            lr_img=1000.0,
            lr_lr=1e-6,
            lr_weights=1e-4,
        ),
        evaluation=EvaluationConfig(full_epochs=50, cross_networks=_PAPERS_OTHERS),
    )


def paper_cifar10() -> Config:
    """The paper's setting for CIFAR-10 (section 4.2): 200 teachers of 50 epochs, ConvNetD3, ZCA.

    IPC is 10; the paper's others are 1 and 50. What it leaves open (J, K, I⁺, learning rates) is
    the command that MTT's repository shows, of CIFAR-100 with one image per class.
    """
    return _paper_published_set("paper_cifar10", image_size=32, depth=3, teachers=200, zca=True)


def paper_cifar100() -> Config:
    """The paper's setting for CIFAR-100: that of CIFAR-10."""
    return _paper_published_set("paper_cifar100", image_size=32, depth=3, teachers=200, zca=True)


def paper_tiny_imagenet() -> Config:
    """The paper's setting for Tiny ImageNet: 100 teachers, ConvNetD4, the rest as for CIFAR-10.

    Images are not whitened, as in MTT, whose settings the paper takes: the matrix would have
    12,288² numbers. ``whitening`` of ``zca`` does it.
    """
    name = "paper_tiny_imagenet"
    return _paper_published_set(name, image_size=64, depth=4, teachers=100, zca=False)


def _paper_published_set(
    name: str, *, image_size: int, depth: int, teachers: int, zca: bool
) -> Config:
    return Config(
        preset=name,
        image_size=image_size,
        network=NetworkConfig(depth=depth),
        augmentation=AugmentationConfig(augmentation=AUGMENTATIONS),
        teacher=TeacherConfig(teachers=teachers, teacher_epochs=50),
        distillation=DistillationConfig(
            images_per_class=10,
            initialisation="real",
            image_format="float",
            iterations=5000,
            syn_steps=20,
            expert_epochs=3,
            max_start_epoch=20,
            lr_img=1000.0,
            lr_lr=1e-5,
            lr_weights=1e-4,
        ),
        evaluation=EvaluationConfig(full_epochs=50),
        normalisation=NormalisationConfig(whitening="zca" if zca else "none"),
    )


def cpu_dp() -> Config:
    """A job of an hour or two without a GPU, with differential privacy (ε, δ) proven.

    One small teacher takes few steps of large batches, since noise costs less the smaller the
    network and the larger the batch. ε is 3 unless chosen: 1 protects more, 8 less. For at least
    some thousand patients.
    """
    return Config(
        preset="cpu_dp",
        network=NetworkConfig(depth=5, width=12),
        augmentation=AugmentationConfig(augmentation=("crop", "scale", "rotate")),
        teacher=_private_teacher(epochs=12, lr=1.0),
        distillation=DistillationConfig(
            images_per_class=5,
            initialisation="public",
            iterations=500,
            syn_steps=20,
            expert_epochs=2,
            max_start_epoch=6,
            lr_img=1000.0,
            lr_lr=1e-6,
            lr_weights=1e-3,
            syn_lr=0.03,
            validate_every=0,
        ),
        evaluation=EvaluationConfig(evaluation_epochs=150),
        protection=ProtectionConfig(privacy="dp", epsilon=3.0, canaries=_CANARIES),
    )


def gpu_dp() -> Config:
    """A job of an hour on one GPU, with differential privacy (ε, δ) proven.

    As ``cpu_dp``, with a wider network and more images per class. The network stays narrow: at the
    paper's width the noise is larger than the gradient.
    """
    return Config(
        preset="gpu_dp",
        network=NetworkConfig(depth=5, width=16),
        augmentation=AugmentationConfig(augmentation=("crop", "scale", "rotate")),
        teacher=_private_teacher(epochs=20, lr=1.0),
        distillation=DistillationConfig(
            images_per_class=20,
            initialisation="public",
            iterations=3000,
            syn_steps=20,
            expert_epochs=2,
            max_start_epoch=10,
            lr_img=1000.0,
            lr_lr=1e-6,
            lr_weights=1e-3,
            syn_lr=0.03,
            validate_every=0,
        ),
        evaluation=EvaluationConfig(),
        protection=ProtectionConfig(privacy="dp", epsilon=3.0, canaries=_CANARIES),
    )


def _private_teacher(*, epochs: int, lr: float) -> TeacherConfig:
    return TeacherConfig(
        teachers=1,
        teacher_epochs=epochs,
        teacher_batch_size=1024,
        teacher_lr=lr,
        teacher_momentum=0.9,
    )


PRESETS: dict[str, Callable[[], Config]] = {
    "cpu_demo": cpu_demo,
    "cpu_small": cpu_small,
    "gpu_evening": gpu_evening,
    "paper_covid_cxr": paper_covid_cxr,
    "cpu_dp": cpu_dp,
    "gpu_dp": gpu_dp,
}
"""Every preset by name."""

PUBLISHED_SETS: dict[str, Callable[[], Config]] = {
    "paper_cifar10": paper_cifar10,
    "paper_cifar100": paper_cifar100,
    "paper_tiny_imagenet": paper_tiny_imagenet,
}
"""Presets of ``iadd reproduce table1``. Its pictures are no X-rays: the portal has none of them."""

_TITLES = {
    "cpu_demo": ("Demonstration", "cpu"),
    "cpu_small": ("Small, without a GPU", "cpu"),
    "gpu_evening": ("An evening on one GPU", "gpu"),
    "paper_covid_cxr": ("The paper's COVID-19 setting", "gpu"),
    "cpu_dp": ("Differential privacy, without a GPU", "cpu"),
    "gpu_dp": ("Differential privacy, on one GPU", "gpu"),
}


SINGLE_PATIENT_STARTS = ("real", "k_mean")
"""Starts that tell who is in the set: an attacker who holds candidates finds the images averaged
in a ``k_mean`` start with an AUC near 1. Only ``paper_*`` presets may use them."""


AUDITS: dict[str, dict[str, Any]] = {
    "audit_free": {
        "title": "The run itself",
        "description": "Attacks on the run alone, at no cost. Needs a split drawn at random.",
        "settings": {"audit_calibration_runs": 0, "audit_test_runs": 0},
    },
    "audit_quick": {
        "title": "8 repetitions",
        "description": "Finds large leaks.",
        "settings": {"audit_calibration_runs": 4, "audit_test_runs": 4},
    },
    "audit_standard": {
        "title": "24 repetitions",
        "description": "What a release to other organisations usually needs.",
        "settings": {"audit_calibration_runs": 8, "audit_test_runs": 16},
    },
    "audit_full": {
        "title": "80 repetitions",
        "description": "Finds small leaks, and those of single strata.",
        "settings": {"audit_calibration_runs": 16, "audit_test_runs": 64},
    },
}
"""Named sizes of an audit: how often the whole run is repeated to calibrate and to test attacks.
``audit_test_runs`` of 0 attacks the run itself alone."""


def describe() -> dict[str, Any]:
    """What there is to choose in the portal, as JSON.

    Returns:
        For each preset its title, description, device, the default of every setting by flat name,
        the limits of numbers ([smallest, largest]) and the choices of words. Where the default is
        a list, limits and choices are those of its members. Only ``paper_*`` presets may start
        from single patients' images or their means.
    """
    description: dict[str, Any] = {}
    for name, make in PRESETS.items():
        title, device = _TITLES[name]
        limits = {one.name: one.allowed for one in SETTINGS.values()}
        if not name.startswith("paper_"):
            limits["initialisation"] = [
                start for start in limits["initialisation"] if start not in SINGLE_PATIENT_STARTS
            ]
        description[name] = {
            "title": title,
            "description": " ".join((make.__doc__ or "").split()),
            "device": device,
            "defaults": json.loads(json.dumps(make().flat())),
            "limits": limits,
        }
    return description
