"""Draws the folder and table layouts of the public chest X-ray sets, small and with invented names.

Each generator calls `picture(path, label)` for every file, so that the caller can draw a picture
there, and `table(path, content)` for every table. It returns what a reader should find.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Picture = Callable[[str, str], None]
TableWriter = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Expected:
    """What a reader should find.

    `classes` is by class and split, ``""`` for none; `patients` how many; `certain` whether no
    question is needed.
    """

    classes: dict[str, dict[str, int]]
    patients: int
    certain: bool


def _csv(rows: Iterable[Iterable[object]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode()


def nih_chest_xray14(picture: Picture, table: TableWriter) -> Expected:
    """Shards of flat files; one table with ``|`` between labels."""
    labels = ("Cardiomegaly", "No Finding", "Cardiomegaly|Emphysema", "No Finding", "Cardiomegaly")
    rows: list[tuple[object, ...]] = [
        (
            "Image Index",
            "Finding Labels",
            "Follow-up #",
            "Patient ID",
            "Patient Age",
            "Patient Gender",
            "View Position",
            "OriginalImage[Width",
            "Height]",
        )
    ]
    for shard in (1, 2, 3):
        for number, label in enumerate(labels):
            patient = shard * 10 + number
            for follow_up in range(2):
                name = f"{patient:08d}_{follow_up:03d}.png"
                picture(f"images_{shard:03d}/images/{name}", label)
                rows.append((name, label, follow_up, patient, 50, "F", "PA", 2682, 2749))
    table("Data_Entry_2017_v2020.csv", _csv(rows))
    return Expected({"Cardiomegaly": {"": 12}, "No Finding": {"": 12}}, 15, certain=False)


_FINDINGS = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion"),
    *("Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion"),
    *("Pleural Other", "Fracture", "Support Devices"),
)


def chexpert(picture: Picture, table: TableWriter) -> Expected:
    """Patients and studies; a wide table for each split, laterals and uncertain labels in it."""
    counts = {"train": 12, "valid": 6}
    first = 0
    for split, patients in counts.items():
        rows: list[list[object]] = [["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *_FINDINGS]]
        for number in range(patients):
            label = ("No Finding", "Edema", "Edema uncertain")[number % 3]
            for view, kind in enumerate(("frontal", "lateral"), 1):
                path = (
                    f"CheXpert-v1.0-small/{split}/patient{first + number:05d}/study1/"
                    f"view{view}_{kind}.jpg"
                )
                picture(path, label)
                cells: dict[str, object] = {"Pneumonia": "0.0"}
                cells |= {"Edema": "-1.0"} if label.endswith("uncertain") else {label: "1.0"}
                facts = [path, "Female", 60, kind.title(), "AP" if view == 1 else ""]
                rows.append([*facts, *(cells.get(name, "") for name in _FINDINGS)])
        table(f"CheXpert-v1.0-small/{split}.csv", _csv(rows))
        first += patients
    return Expected(
        {
            "Edema": {"train": 4, "validation": 2},
            "No Finding": {"train": 4, "validation": 2},
        },
        18,
        certain=False,
    )


def mimic_cxr(picture: Picture, table: TableWriter) -> Expected:
    """Groups, patients and studies; packed tables for labels by study, splits and views by file."""
    labels: list[list[object]] = [["subject_id", "study_id", *_FINDINGS]]
    splits: list[list[object]] = [["dicom_id", "study_id", "subject_id", "split"]]
    facts: list[list[object]] = [
        ["dicom_id", "subject_id", "study_id", "PerformedProcedureStepDescription", "ViewPosition"]
    ]
    for number in range(12):
        subject, study = 10_000_030 + 1_000_000 * (number % 3) + number, 50_414_260 + number
        split = ("train", "train", "validate", "test")[number % 4]
        label = ("Pneumonia", "No Finding")[number // 4 % 2]
        labels.append([subject, study, *("1.0" if f == label else "" for f in _FINDINGS)])
        for view in ("PA", "LATERAL"):
            dicom = f"{number:08x}-{view.lower()[:4]:0<4}-0d3cdb9b"
            folder = f"files/p{subject // 1_000_000}/p{subject}/s{study}"
            picture(f"{folder}/{dicom}.jpg", label)
            splits.append([dicom, study, subject, split])
            facts.append([dicom, subject, study, "CHEST (PA AND LAT)", view])
    table("mimic-cxr-2.0.0-chexpert.csv.gz", gzip.compress(_csv(labels)))
    table("mimic-cxr-2.0.0-split.csv.gz", gzip.compress(_csv(splits)))
    table("mimic-cxr-2.0.0-metadata.csv", _csv(facts))
    return Expected(
        {
            "No Finding": {"train": 2, "validation": 1, "test": 1},
            "Pneumonia": {"train": 4, "validation": 2, "test": 2},
        },
        12,
        certain=False,
    )


def covidx(picture: Picture, table: TableWriter) -> Expected:
    """Flat ``train`` and ``test``; lists apart by spaces, without headings."""
    for split, count in (("train", 12), ("test", 6)):
        lines = []
        for number in range(count):
            label = ("positive", "negative")[number % 2]
            name = f"{split}-{number:03d}.png"
            picture(f"{split}/{name}", label)
            lines.append(
                f"{split}pat{number // 2} {name} {label} {('cohen', 'rsna')[number % 2]}\n"
            )
        table(f"{split}_COVIDx9A.txt", "".join(lines).encode())
    return Expected(
        {"negative": {"train": 6, "test": 3}, "positive": {"train": 6, "test": 3}},
        9,
        certain=False,
    )


def padchest(picture: Picture, table: TableWriter) -> Expected:
    """Numbered folders; labels as the text of a Python list, long projections."""
    rows: list[list[object]] = [
        [
            "",
            "ImageID",
            "ImageDir",
            "StudyDate_DICOM",
            "StudyID",
            "PatientID",
            "PatientBirth",
            "Projection",
            "Pediatric",
            "Labels",
        ]
    ]
    labels = ("['normal']", "['pneumonia']", "['pneumonia', 'pleural effusion']", "['normal']")
    for number in range(16):
        study = f"216840111366964012373310883942009{number:03d}"
        name = f"{study}_00-013-{number:03d}.png"
        picture(f"{number % 4}/{name}", labels[number % 4])
        rows.append(
            [
                number,
                name,
                number % 4,
                20090101,
                study,
                f"{number:032d}",
                1950.0,
                "L" if number >= 12 else "PA",
                "No",
                labels[number % 4],
            ]
        )
    table("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", _csv(rows))
    return Expected({"normal": {"": 6}, "pneumonia": {"": 3}}, 16, certain=False)


def kaggle_pneumonia(picture: Picture, table: TableWriter) -> Expected:
    """Three splits, twice: an inner copy lies beside them."""
    counts = {"train": 6, "val": 3, "test": 4}
    for top in ("chest_xray", "chest_xray/chest_xray"):
        for split, count in counts.items():
            for number in range(count):
                picture(f"{top}/{split}/NORMAL/IM-{number:04d}-0001.jpeg", "NORMAL")
                picture(
                    f"{top}/{split}/PNEUMONIA/person{number}_virus_{number + 7}.jpeg", "PNEUMONIA"
                )
    each = {"train": 12, "validation": 6, "test": 8}
    return Expected({"NORMAL": each, "PNEUMONIA": dict(each)}, 0, certain=True)


def covid_qu_ex(picture: Picture, table: TableWriter) -> Expected:
    """Pictures and two kinds of masks below each class."""
    classes = ("COVID-19", "Non-COVID", "Normal")
    for split in ("Train", "Val", "Test"):
        for label in classes:
            for folder in ("images", "lung masks", "infection masks"):
                for number in range(3):
                    picture(
                        f"Lung Segmentation Data/{split}/{label}/{folder}/{label}_{number}.png",
                        label if folder == "images" else "",
                    )
    each = {"train": 3, "validation": 3, "test": 3}
    return Expected({label: dict(each) for label in classes}, 0, certain=True)


def covid_radiography(picture: Picture, table: TableWriter) -> Expected:
    """One folder per class, with ``images`` and ``masks`` below."""
    classes = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
    for label in classes:
        for folder in ("images", "masks"):
            for number in range(1, 5):
                picture(
                    f"COVID-19_Radiography_Dataset/{label}/{folder}/{label}-{number}.png",
                    label if folder == "images" else "",
                )
    table("COVID-19_Radiography_Dataset/README.md.txt", b"Made by several people.\nCite it.\n")
    return Expected({label: {"": 4} for label in classes}, 0, certain=True)


def contract_manifest(picture: Picture, table: TableWriter) -> Expected:
    """The product's own manifest, every column by its own name."""
    rows: list[list[object]] = [["file", "label", "patient", "split", "view", "site"]]
    for number in range(16):
        label = ("COVID", "Normal")[number % 2]
        path = f"pictures/{number:03d}.png"
        picture(path, label)
        split = ("train", "train", "validation", "test")[number // 4]
        rows.append([path, label, f"h{number // 2}", split, "PA", "North"])
    table("manifest.csv", _csv(rows, ";"))
    each = {"train": 4, "validation": 2, "test": 2}
    return Expected({"COVID": each, "Normal": dict(each)}, 8, certain=True)


LAYOUTS = {
    "nih_chest_xray14": nih_chest_xray14,
    "chexpert": chexpert,
    "mimic_cxr": mimic_cxr,
    "covidx": covidx,
    "padchest": padchest,
    "kaggle_pneumonia": kaggle_pneumonia,
    "covid_qu_ex": covid_qu_ex,
    "covid_radiography": covid_radiography,
    "contract_manifest": contract_manifest,
}
