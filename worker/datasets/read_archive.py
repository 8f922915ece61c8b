"""Reads an uploaded archive into the values that the portal keeps. Pure: file in, values out."""

from dataclasses import dataclass
from pathlib import Path

from app.core.errors import problem_dict
from app.core.types import JsonObject
from iadd.data.loading import DatasetError, read_images
from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits
from iadd.runtime.progress import ProgressListener, ignore_progress
from worker.datasets.quality_report import count_by_split, quality_report
from worker.datasets.thumbnails import thumbnail_sheet


@dataclass(frozen=True)
class Accepted:
    images: bytes
    """The image set, as `ImageSet.from_bytes` reads it."""
    classes: JsonObject
    """{class: {"train": n, "validation": n, "test": n}}."""
    quality: JsonObject
    thumbnails: tuple[bytes, ...]
    """One PNG per class, in the order of `classes`."""


@dataclass(frozen=True)
class Rejected:
    problem: JsonObject
    """The fault, and what to do about it (RFC 9457)."""
    quality: JsonObject


def examine(
    archive: Path,
    *,
    image_size: int = 112,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    on_progress: ProgressListener = ignore_progress,
) -> Accepted | Rejected:
    """Read an archive that somebody uploaded, whatever it holds.

    Raises:
        OSError: When `archive` is not there.
    """
    try:
        reading = read_images(
            archive, image_size=image_size, seed=seed, limits=limits, on_progress=on_progress
        )
    except DatasetError as error:
        return Rejected(
            problem=problem_dict(
                code=error.code.replace("_", "-"),
                title=error.title,
                status=422,
                detail=str(error),
            ),
            quality=quality_report(None, error.rejected, {}),
        )
    image_set = reading.image_set
    return Accepted(
        images=image_set.to_bytes(),
        classes=dict(count_by_split(image_set)),
        quality=quality_report(image_set, reading.rejected, reading.ignored),
        thumbnails=tuple(
            thumbnail_sheet(image_set, label) for label in range(len(image_set.classes))
        ),
    )
