"""External validation: scores a release on its receiver's test images, for the receiver to return.

Networks are trained by the release's recipe, and tested on the receiver's own test images, which
are read in the release's size and normalisation: the release is evaluated unchanged but for the
names of its classes. No own image is trained on and nothing is chosen.

The score names the release by its fingerprint, and holds counts and figures: no image, no file
name, and no prediction for a single image.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import torch

from iadd.bundle.bundle import describe_recipe
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.evaluation.evaluator import evaluate
from iadd.evaluation.metrics import Evaluation
from iadd.runtime.environment import describe_environment
from iadd.runtime.json import finite
from iadd.runtime.progress import ProgressListener
from iadd.sharing.class_map import ClassMap
from iadd.sharing.received import Received, covered_classes, in_channels, in_classes, in_size


@dataclass(frozen=True, kw_only=True)
class AcceptanceScore:
    """The figures of networks trained on a release, on the receiver's test images.

    Attributes:
        fingerprint: SHA-256 of the ``SHA256SUMS`` of its bundle.
        classes: The receiver's classes that the networks distinguish.
        left_out: The receiver's classes that the release does not have; they were not tested.
        class_map: The receiver's class of each of the release's classes.
        test_images: Number of test images of each class.
        evaluation: The figures.
        config: The recipe of the release.
        versions: Versions of the software.
        time: Time of the score, UTC.
    """

    fingerprint: str
    classes: tuple[str, ...]
    left_out: tuple[str, ...]
    class_map: ClassMap
    test_images: Mapping[str, int]
    evaluation: Evaluation
    config: Config
    versions: Mapping[str, str]
    time: datetime

    def to_dict(self) -> dict[str, Any]:
        """Convert to strict JSON types; NaN and infinity become null."""
        found = self.evaluation.to_dict()
        figures = ("balanced_accuracy", "accuracy", "macro_f1", "auroc", "per_class")
        document: dict[str, Any] = finite(
            {
                "format": 1,
                "release": {
                    "fingerprint": self.fingerprint,
                    "images": self.evaluation.training_images,
                },
                "classes": self.classes,
                "left_out": self.left_out,
                "class_map": dict(self.class_map),
                "test_images": dict(self.test_images),
                "figures": {name: found[name] for name in figures},
                "recipe": describe_recipe(self.config, self.evaluation.lr),
                "network": {
                    "name": self.config.network.network,
                    "depth": self.config.network.depth,
                    "width": self.config.network.width,
                },
                "image_size": self.config.image_size,
                "seed": self.config.seed,
                "versions": dict(self.versions),
                "time": self.time.isoformat(timespec="seconds").replace("+00:00", "Z"),
            }
        )
        return document


def score_release(
    received: Received,
    images: ImageSet,
    *,
    fingerprint: str,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> AcceptanceScore:
    """Train networks on a release by its own recipe and test them on own images.

    Args:
        received: The release and its confirmed class map.
        images: Own images; those of the test split are used. If their size is not the release's,
            they are resized; reading the files in its size is better.
        fingerprint: Fingerprint of the release: see :func:`iadd.open_bundle`.
        on_progress: Called after each network's epoch, phase ``evaluating``; may raise to stop.
        device: Device to compute on.

    Raises:
        ClassMapError: When the class map does not fit, or leaves fewer than two classes.
        SetMismatchError: When the images' channels cannot be converted to the release's.
        ValueError: When there are no test images of a class.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    classes = covered_classes([received], images.classes)
    test = images.of_classes(classes).part("test")
    if missing := [name for name, count in test.count_by_class().items() if count == 0]:
        raise ValueError(
            f"There are no test images of {', '.join(missing)}: add some, or map no class of the "
            "release to it."
        )
    renamed = in_classes(received, classes)
    evaluation = evaluate(
        renamed,
        _as_released(test, received.distilled),
        renamed.config,
        on_progress=on_progress,
        device=device,
    )
    return AcceptanceScore(
        fingerprint=fingerprint,
        classes=classes,
        left_out=tuple(name for name in images.classes if name not in classes),
        class_map=dict(received.class_map),
        test_images=test.count_by_class(),
        evaluation=evaluation,
        config=renamed.config,
        versions=describe_environment(device, "")["versions"],
        time=datetime.now(UTC),
    )


def _as_released(test: ImageSet, distilled: DistilledDataset) -> ImageSet:
    """Convert the own images to the size and channels of the release."""
    _, channels, size, _ = distilled.images.shape
    if test.images.shape[1:] == (channels, size, size):
        return test
    chunks = [
        (in_size(in_channels(chunk.float(), channels), size).round().clamp(0, 255)).to(torch.uint8)
        for chunk in test.images.split(256)
    ]
    return replace(test, images=torch.cat(chunks))
