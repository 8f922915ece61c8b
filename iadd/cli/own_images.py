"""Reads images as the other commands do, and remembers which file each came from.

Names stay in memory and on the caller's terminal: they may name patients.
"""

import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from iadd.cli import common
from iadd.data.image_set import ImageSet
from iadd.data.loading import DatasetError
from iadd.intake.deidentify.names import path_hash
from iadd.intake.edit import digest_of
from iadd.intake.examine import IMAGES, examine
from iadd.intake.options import ReadOptions
from iadd.intake.read import RECORDS
from iadd.intake.records import read_records
from iadd.intake.survey import survey


@dataclass(frozen=True, eq=False)
class OwnImages:
    """Images with what is known of their files.

    Attributes:
        images: N images.
        names: Path of each within the source, or its number where the source has no files.
        random_split: Whether chance decided the split; False where the source brought its own, or
            where nobody knows.
    """

    images: ImageSet
    names: list[str]
    random_split: bool


def load_own(source: Path, image_size: int, layout: Path | None) -> OwnImages:
    """Load the images of a folder, an archive or a saved image set, with the names of their files.

    Raises:
        DatasetError, OSError, ValueError: As :func:`iadd.cli.common.load`.
    """
    if source.suffix == ".safetensors":
        images = common.load(source, image_size, layout)
        return OwnImages(images, [f"image {n}" for n in range(len(images))], random_split=False)
    # Names are found again by their keyed hashes, with a key that nobody else has.
    options = ReadOptions(key=secrets.token_bytes(32), image_size=image_size)
    mapping = None if layout is None else common.read_layout(layout)
    with tempfile.TemporaryDirectory(prefix="iadd-reading-") as folder:
        outcome = examine(source, Path(folder), options=options, mapping=mapping)
        if outcome.status != "ready":
            # The same reading, for the message that people know.
            common.load(source, image_size, layout)
            raise DatasetError("unreadable", "The images cannot be read", f"{source}")
        paths = {
            path_hash(file.parts, options.key): "/".join(file.parts)
            for file in survey(source).files
        }
        by_digest = {
            record.digest: paths.get(record.path, "?")
            for record in read_records(Path(folder) / RECORDS)
        }
        images = ImageSet.load(Path(folder) / IMAGES)
    names = [by_digest.get(digest_of(image[0].numpy()), "?") for image in images.images]
    split_by = (outcome.quality or {}).get("split_by")
    return OwnImages(images, names, random_split=split_by not in (None, "given"))
