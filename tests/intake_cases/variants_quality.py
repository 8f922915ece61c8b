"""Second cases of each kind: inverted, blank, near-duplicate pictures, and patients in splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tests.fixtures.dicom import window_of, write_dicom
from tests.intake_cases.case import REJECTED, Case
from tests.intake_cases.drawing import Files, Pixels, chest, class_folders, encode, png, write_zip
from tests.intake_cases.variant import Variant, variant

TWO = {"COVID": "COVID", "Normal": "Normal"}


def inverted(name: str, which: Callable[[str, int], bool], count: int, found: int) -> Variant:
    files: Files = {}
    for finding in TWO:
        for i in range(count):
            pixels = chest(finding, i)
            files[f"{finding}/{i}.png"] = encode(255 - pixels if which(finding, i) else pixels)
    case = Case(name=name, classes={"COVID": count, "Normal": count}, findings={"inverted": found})
    return Variant("inverted-third", case, lambda path: write_zip(path, files))


INVERTED = [
    inverted("inverted-one", lambda c, i: c == "COVID" and i == 3, 12, 1),
    inverted("inverted-class", lambda c, i: c == "COVID", 12, 12),
    inverted("inverted-most", lambda c, i: i % 4 != 0, 12, 18),
]


def nearly(
    change: Callable[[Pixels], Pixels], kind: str = "PNG", **options: Any
) -> Callable[[Pixels], bytes]:
    return lambda pixels: encode(change(pixels), kind, **options)


def shifted(pixels: Pixels) -> Pixels:
    return np.roll(pixels, 1, axis=1)


def brighter(pixels: Pixels) -> Pixels:
    return np.minimum(pixels.astype(int) + 6, 255).astype(np.uint8)


def noisy(pixels: Pixels) -> Pixels:
    noise = np.random.default_rng(1).normal(0, 2, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def contrast(pixels: Pixels) -> Pixels:
    return np.clip((pixels.astype(float) - 128) * 0.9 + 128, 0, 255).astype(np.uint8)


def resized(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((90, 90), Image.Resampling.BICUBIC))


def annotated(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    ImageDraw.Draw(image).text((4, 4), "L", fill=255)
    return np.asarray(image)


SAME: dict[str, Callable[[Pixels], bytes]] = {
    "jpeg-50": nearly(lambda p: p, "JPEG", quality=50),
    "brighter": nearly(brighter),
    "noisy": nearly(noisy),
    "contrast": nearly(contrast),
    "resized": nearly(resized),
    "annotated": nearly(annotated),
    "webp": nearly(lambda p: p, "WEBP", quality=70),
}


def near_duplicates(name: str, again: Callable[[Pixels], bytes]) -> Variant:
    files: Files = {}
    for index, finding in enumerate(TWO):
        for i in range(8):
            number = 30 * index + i
            pixels = chest(finding, number)
            files[f"train/{finding}/scan {chr(97 + i)}.png"] = encode(pixels)
            if i < 4:
                files[f"test/{finding}/copy {chr(97 + i)}.png"] = again(pixels)
            else:
                files[f"test/{finding}/other {chr(97 + i)}.png"] = png(finding, number + 200)
    case = Case(
        name=f"again-{name}",
        classes={"COVID": 16, "Normal": 16},
        findings={"near_duplicate": 8, "near_duplicate_across_splits": 8},
    )
    return Variant("near-duplicates-in-split", case, lambda path: write_zip(path, files))


NEAR = [near_duplicates(name, again) for name, again in SAME.items()]


@variant(
    "near-duplicates-in-split",
    Case(
        name="near-without-split",
        classes={"COVID": 16, "Normal": 16},
        findings={"near_duplicate": 8},
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    for index, finding in enumerate(TWO):
        for i in range(12):
            files[f"{finding}/{chr(97 + i)}.png"] = png(finding, 30 * index + i)
            if i < 4:
                files[f"{finding}/{chr(110 + i)}.jpg"] = encode(
                    chest(finding, 30 * index + i), "JPEG"
                )
    return write_zip(path, files)


@variant(
    "bad input",
    Case(
        name="same-picture-in-two-classes",
        classes={"COVID": 6, "Normal": 6},
        refused={"conflicting_label": 4, "duplicate": 1},
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 6)
    for i in (40, 41):
        files[f"COVID/{i}.png"] = files[f"Normal/{i}.png"] = png("COVID", i)
    return write_zip(path, files | {"Normal/again.png": png("Normal", 0)})


@variant(
    "bad input",
    Case(
        name="all-in-both-classes",
        status=REJECTED,
        said=("several classes",),
        ignored={"not used": 10},
    ),
)
def _(path: Path) -> Path:
    files = {f"{c}/{i}.png": png("COVID", i) for c in TWO for i in range(5)}
    return write_zip(path, files)


PEOPLE: dict[str, Callable[[int, int], str]] = {
    "patient-and-study": lambda person, i: f"patient{person:03d}_study{i}",
    "number-dash": lambda person, i: f"P{person:04d}-{i}",
    "kaggle-person": lambda person, i: f"person{person}_virus_{i}",
    "record-number": lambda person, i: f"{10045000 + person}_{i}",
    "subject": lambda person, i: f"sub-{person:02d}_ses-{i}",
    "german": lambda person, i: f"Patient {person} Aufnahme {i}",
    "name-and-year": lambda person, i: f"DOE_J{'ABCDEFGHIJ'[person]}NE_19{50 + person}_{i}",
    "dicom-name": lambda person, i: f"DOE^{'ABCDEFGHIJ'[person]}NN_{i}",
    "spanish": lambda person, i: f"paciente_{person}_{i}",
}


def people_in_names(name: str, shape: Callable[[int, int], str], *, given: bool) -> Variant:
    files: Files = {}
    for index, finding in enumerate(TWO):
        for person in range(5):
            for i in range(3):
                number = 40 * index + 3 * person + i
                split = ("test/" if i == 2 else "train/") if given else ""
                who = person + (5 * index if "DOE" in shape(0, 0) else 0)
                files[f"{split}{finding}/{shape(who, i)}.png"] = png(finding, number)
    findings = {"patient_across_splits": 10} if given else {}
    case = Case(
        name=f"{'given' if given else 'random'}-{name}",
        classes={"COVID": 15, "Normal": 15},
        findings=findings,
        patients=10,
        planted=("DOE",),
    )
    of = "patient-in-both-splits" if given else "patient-random-split"
    return Variant(of, case, lambda path: write_zip(path, files))


IN_NAMES = [
    people_in_names(name, shape, given=given)
    for name, shape in PEOPLE.items()
    for given in (True, False)
]


def by_dicom(given: bool) -> Variant:
    def write(path: Path) -> Path:
        files: Files = {}
        for index, finding in enumerate(TWO):
            for i in range(15):
                person = f"MRN-{5 * index + i // 3}"
                split = ("test/" if i % 3 == 2 else "train/") if given else ""
                files[f"{split}{finding}/{i}.dcm"] = write_dicom(
                    chest(finding, 40 * index + i, 12),
                    PatientID=person,
                    SOPInstanceUID=f"1.2.{index}.{i + 1}",
                    PatientName="PLANTED^X",
                    **window_of(12),
                )
        return write_zip(path, files)

    findings = {"metadata": 30} | ({"patient_across_splits": 10} if given else {})
    case = Case(
        name=f"dicom-patients-{'given' if given else 'random'}",
        findings=findings,
        classes={"COVID": 15, "Normal": 15},
        patients=10,
        planted=("PLANTED", "MRN-"),
    )
    return Variant("patient-in-both-splits" if given else "patient-random-split", case, write)


BY_DICOM = [by_dicom(given=True), by_dicom(given=False)]


@variant(
    "patient-random-split",
    Case(
        name="patient-in-two-classes",
        classes={"COVID": 15, "Normal": 15},
        patients=10,
        ignored={"tables": 1},
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    rows = ["file,label,patient"]
    for finding in TWO:
        for i in range(15):
            files[f"{finding}/{i}.png"] = png(finding, i)
            rows.append(f"{finding}/{i}.png,{finding},{i % 10}")
    return write_zip(path, files | {"manifest.csv": "\n".join(rows).encode()})


@variant(
    "near-blank",
    Case(name="almost-one-value", classes={"COVID": 5, "Normal": 5}, refused={"blank": 6}),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 5)
    for i in range(3):
        blank = np.full((80, 80), (0, 255, 90)[i], np.uint8)
        blank[3, 5 + i] = 128
        files[f"COVID/empty{i}.png"] = encode(blank)
        deep = np.full((80, 80), 2000 * (i + 1), np.uint16)
        deep += np.random.default_rng(i).integers(0, 12, deep.shape, dtype=np.uint16)
        files[f"Normal/empty{i}.png"] = encode(deep)
    return write_zip(path, files)


@variant(
    "masks-top-folder",
    Case(
        name="masks-as-a-class",
        classes={"COVID": 8, "Normal": 8, "Lungenumriss": 8},
        findings={"mask_like": 8},
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 8)
    for i in range(8):
        files[f"Lungenumriss/{i}.png"] = encode(
            np.where(chest("Normal", 50 + i) > 128, 255, 0).astype(np.uint8)
        )
    return write_zip(path, files)


VARIANTS = [*INVERTED, *NEAR, *IN_NAMES, *BY_DICOM]
