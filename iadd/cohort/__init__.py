"""Draws a synthetic cohort of chest X-rays, for demonstrations and tests without real patients.

Each image is an invented patient's chest, drawn from a model of its shadows: thorax, ribs,
clavicles, spine, mediastinum, heart, domes of the diaphragm, vessels; with the opacities of one of
the four classes of the COVID-19 Radiography Database, and with an individual pose, build and
exposure. No pixel comes from a person. Nothing learned from it holds for people.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.cohort.anatomy import draw_chest
from iadd.cohort.exposure import expose
from iadd.cohort.findings import FINDINGS

CLASSES = tuple(FINDINGS)

# The earliest date that a zip can hold; a fixed one makes equal cohorts equal files.
_DATE = (1980, 1, 1, 0, 0, 0)


def draw_image(
    class_name: str, number: int, *, image_size: int = 224, seed: int = 0
) -> npt.NDArray[np.uint8]:
    """Draw the chest X-ray of patient `number` of a class; the same arguments, the same image.

    Returns:
        uint8 (S, S) with S = `image_size`.

    Raises:
        KeyError: when `class_name` is not one of `CLASSES`.
    """
    finding = FINDINGS[class_name]
    rng = np.random.default_rng([seed, CLASSES.index(class_name), number])
    chest = draw_chest(rng, image_size)
    return expose(rng, chest.attenuation + finding(rng, chest))


def draw_cohort(
    images_per_class: int, *, image_size: int = 224, seed: int = 0
) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Draw `images_per_class` images of every class: pairs of class name and image."""
    for class_name in CLASSES:
        for number in range(images_per_class):
            yield class_name, draw_image(class_name, number, image_size=image_size, seed=seed)


def write_archive(
    path: Path,
    images_per_class: int,
    *,
    image_size: int = 224,
    seed: int = 0,
    on_image: Callable[[], None] = lambda: None,
) -> None:
    """Write a cohort as a zip of ``<class>/<nnnn>.png``; the same arguments, the same bytes.

    Args:
        path: The zip file to write.
        images_per_class: Images of every class.
        image_size: Side of the images.
        seed: Seed of the draw.
        on_image: Called before each image is written; may raise to stop.

    Raises:
        FileExistsError: when `path` exists.
    """
    with zipfile.ZipFile(path, "x") as archive:
        cohort = draw_cohort(images_per_class, image_size=image_size, seed=seed)
        for count, (class_name, image) in enumerate(cohort):
            on_image()
            name = f"{class_name}/{count % images_per_class:04}.png"
            archive.writestr(zipfile.ZipInfo(name, _DATE), _png(image))


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    # Film grain hardly compresses; level 1 takes a third of the time.
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()
