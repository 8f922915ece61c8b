"""Reads labelled images from a folder or an archive into a checked, split image set.

Legend: N images, S their side, both after everything unusable was left out.
"""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iadd.data.image_set import ImageSet
from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits
from iadd.intake.errors import DatasetError
from iadd.intake.examine import IMAGES, examine
from iadd.intake.layout.mapping import Mapping
from iadd.intake.options import ReadOptions
from iadd.runtime.progress import ProgressListener, ignore_progress

__all__ = ["DatasetError", "Reading", "load_images", "read_images"]


@dataclass(frozen=True)
class Reading:
    """The result of reading one archive.

    Attributes:
        image_set: the images that can be used, grouped by class.
        quality: the quality report: refused and ignored files, findings, how the split was made.
    """

    image_set: ImageSet
    quality: dict[str, Any]


def load_images(
    source: Path | str, image_size: int = 112, *, mapping: Mapping | None = None
) -> ImageSet:
    """Load the images of a folder, an archive, or a saved image set (``.safetensors``).

    Raises:
        DatasetError: as `read_images`.
        ValueError: when a saved image set is damaged or of another size.
    """
    source = Path(source)
    if source.suffix != ".safetensors":
        return read_images(source, image_size=image_size, mapping=mapping).image_set
    image_set = ImageSet.load(source)
    if image_set.images.shape[-1] != image_size:
        found = image_set.images.shape[-1]
        raise ValueError(f"the saved images are {found} pixels wide, {image_size} were requested")
    return image_set


def read_images(
    source: Path,
    *,
    image_size: int = 112,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    mapping: Mapping | None = None,
    on_progress: ProgressListener = ignore_progress,
) -> Reading:
    """Read, check, deduplicate and split the images of a folder or an archive.

    Memory holds the images at their final size, and at most some hundred megabytes more. The order
    of the images depends on their pixels alone, so the same pictures packed in another way give
    the same set.

    Args:
        source: as `iadd.intake.containers.open.open_archive` takes it.
        image_size: the side S that every picture is resized to.
        seed: of the split into training, validation and test images.
        limits: bounds on the cost of the archive.
        mapping: what the folders and tables mean, where that is not clear.
        on_progress: phases ``listing``, ``reading`` and ``comparing``.

    Raises:
        DatasetError: when the archive cannot be read, nothing of use is in it, or it can be read
            in several ways and `mapping` is None (``unclear_layout``).
        OSError: when `source` does not exist.
    """
    options = ReadOptions(
        # Nothing that is keyed with it leaves the folder below.
        key=secrets.token_bytes(32),
        image_size=image_size,
        seed=seed,
        limits=limits,
    )
    with tempfile.TemporaryDirectory(prefix="iadd-reading-") as folder:
        out = Path(folder)
        outcome = examine(
            Path(source), out, options=options, mapping=mapping, on_progress=on_progress
        )
        if outcome.status == "awaiting_mapping":
            questions = " ".join((outcome.layout or {}).get("questions", ()))
            raise DatasetError(
                "unclear_layout",
                "How to read the archive is not clear",
                f"{questions} Give a layout: `exchange layout {source.name} --out layout.json` "
                "writes the readings to choose from, and `--layout layout.json` reads by it.",
            )
        if outcome.problem is not None:
            problem = outcome.problem
            raise DatasetError(
                problem["code"].replace("-", "_"), problem["title"], problem["detail"]
            )
        assert outcome.quality is not None, "a dataset that is ready has its report"
        return Reading(ImageSet.load(out / IMAGES), outcome.quality)
