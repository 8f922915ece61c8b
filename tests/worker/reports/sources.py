"""What reports are made of: image sets, odd runs, other starts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from iadd.data.image_set import SPLITS, ImageSet
from iadd.evaluation.metrics import Evaluation
from worker.reports import ReportSource

LONG = "Bilateral_interstitial_opacities_with_effusion_and_cardiomegaly_of_unknown_cause_XXII"
ODD: dict[str, dict[str, Any]] = {
    "one image of each of two classes": {"names": ("a", "b")},
    "fifteen classes": {"names": tuple(f"Finding {i}" for i in range(15)), "images_per_class": 9},
    "long names": {"names": (LONG, LONG.lower(), "Wheeze " * 11)},
    "one network": {"names": ("a", "b", "c"), "networks": 1},
    "few test images": {"names": ("a", "b", "c"), "test_images": 3},
    "no weights": {"names": ("a", "b"), "method": "mtt"},
    "pruned": {"names": ("a", "b"), "method": "ddpp"},
    "real start": {"names": ("a", "b"), "initialisation": "real"},
    "another network": {"names": ("a", "b"), "network": "resnet18", "image_size": 16},
}

MakeSource = Callable[..., ReportSource]


def make_images() -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    count = 90
    coarse = torch.rand(count, 1, 4, 4, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=(16, 16), mode="bicubic").clamp(0, 1)
    labels = torch.arange(count) % 2
    images[labels == 1, :, :8, :8] *= 0.5
    split = torch.tensor([0, 0, 0, 1, 2, 2]).repeat_interleave(2).repeat(8)[:count]
    return ImageSet(
        (images * 255).to(torch.uint8), labels, ("COVID & friends", "Normal"), split.to(torch.int8)
    )


def counts_of(images: ImageSet) -> dict[str, dict[str, int]]:
    return {
        name: {split: images.part(split).count_by_class()[name] for split in SPLITS}
        for name in images.classes
    }


def measured(evaluation: Evaluation) -> dict[str, Any]:
    """As the evaluation's phase stores it."""
    return {**evaluation.to_dict(), "roc": evaluation.roc_curves()}


def with_start(source: ReportSource, seed: int) -> ReportSource:
    """The same run, had it started from other images."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(source.distilled.images.shape, generator=generator)
    return replace(source, distilled=replace(source.distilled, initial_images=start))
