"""The shared archives that once went wrong, and what each of them is to become."""

from __future__ import annotations

from pathlib import Path

from tests.intake_cases.case import AWAITING, REJECTED, Case

ARCHIVES = Path(__file__).parent / "archives"


def two(count: int, other: int | None = None, *names: str) -> dict[str, int]:
    """Images of the two classes that most archives hold."""
    first, second = names or ("COVID", "Normal")
    return {first: count, second: count if other is None else other}


FOUR = two(4)
FIVE = two(5)

CASES = [
    # ------------------------------------------------------------------------------------ layout
    Case(
        name="kaggle-doubled",
        classes=two(12, 12, "NORMAL", "PNEUMONIA"),
        splits={"NORMAL": (6, 3, 3), "PNEUMONIA": (6, 3, 3)},
        refused={"duplicate": 24},
        ignored={"system files": 24},
    ),
    Case(name="split-holdout", status=AWAITING, classes=two(8), said=("“holdout” the test split",)),
    Case(
        name="split-val-test-names",
        classes=two(8),
        splits={"COVID": (3, 1, 4), "Normal": (3, 1, 4)},
    ),
    Case(name="folds", status=AWAITING, classes=two(9), said=("Are they folds",)),
    Case(name="two-hospitals", status=AWAITING, classes=two(8), said=("hospitals or sites",)),
    Case(
        name="covidx-flat",
        status=AWAITING,
        classes=two(8, 8, "negative", "positive"),
        said=("train.txt", "test.txt"),
    ),
    Case(
        name="nih-layout",
        status=AWAITING,
        classes=two(6, 9, "Cardiomegaly", "No Finding"),
        said=("Image Index", "Finding Labels", "Patient ID", "3 images have several labels"),
    ),
    Case(
        name="mimic-layout",
        status=AWAITING,
        classes={"Pneumonia": 1},
        said=("chexpert.csv.gz", "holds labels", "uncertain"),
        confirmed=REJECTED,
    ),
    Case(
        name="chexpert-layout",
        status=AWAITING,
        classes=two(3, 2, "No Finding", "Pneumonia"),
        said=("train.csv", "holds labels", "look like patients", "lateral", "uncertain"),
        confirmed=REJECTED,
    ),
    Case(
        name="patients-on-top",
        status=AWAITING,
        classes=two(9),
        said=("look like patients",),
        planted=("MUELLER", "HANS"),
    ),
    Case(
        name="covid-qu-ex-masks",
        classes=two(9, 9, "COVID-19", "Normal"),
        splits={"COVID-19": (3, 3, 3), "Normal": (3, 3, 3)},
        ignored={"masks": 36},
    ),
    Case(name="masks-top-folder", classes=FIVE, ignored={"masks": 8}),
    Case(name="stray-docs-folder", status=AWAITING, classes=FIVE, said=("“docs”",)),
    Case(
        name="empty-class-folder",
        classes=FOUR,
        findings={"empty_class": 2},
        ignored={"system files": 1},
    ),
    Case(name="system-folders", classes=FOUR, ignored={"system files": 5}),
    Case(name="absolute-names", classes=FOUR),
    Case(
        name="class-spellings",
        status=AWAITING,
        classes={"COVID-19": 9, "Normal": 3},
        said=("“COVID-19”, “COVID_19”, “Covid 19”", "spellings of one class"),
    ),
    Case(
        name="class-in-test-only", status=REJECTED, said=("“COVID-19” is only in test", "“COVID”")
    ),
    # ------------------------------------------------------------------------------------- names
    Case(
        name="sjis-backslash",
        classes={"正常": 4, "表示結核": 4, "表示肺炎": 4},
        findings={"encoding_guessed": 1},
    ),
    Case(name="utf8-without-flag", classes=two(4, 4, "Pneumonie à Covid", "Sain")),
    Case(
        name="cp1252-names",
        classes=two(4, 4, "Lungenentzündung", "Unauffällig"),
        findings={"encoding_guessed": 1},
    ),
    Case(name="deflate64", classes=FOUR),
    # ------------------------------------------------------------------------------- grey values
    Case(name="12bit-marker-65535", classes=FIVE, grey="12 bits"),
    Case(name="12bit-one-pixel-4096", classes=FIVE, grey="12 bits"),
    Case(name="15bit", classes=FIVE, grey="15 bits"),
    Case(name="mixed-maxima", classes=FIVE, grey="12 bits"),
    Case(name="raw-30000-34000", classes=FIVE, findings={"low_contrast": 10}),
    Case(name="rgb16-12bit", classes=FIVE, grey="12 bits"),
    Case(name="la16-12bit", classes=FIVE, grey="12 bits"),
    Case(name="alpha-hidden-white", classes=FIVE, grey="8 bits"),
    # ----------------------------------------------------------------------------------- formats
    Case(name="tiff-thumbnail-first", classes=FOUR, findings={"pages": 8}),
    Case(name="tiff-minwhite-16-be", classes=FOUR, grey="12 bits, white is 0"),
    Case(name="tiff-grey-alpha-16", classes=FOUR, grey="12 bits"),
    Case(name="png-text-2mb", classes=FOUR, findings={"metadata": 8}, planted=("AAAAAAAAAA",)),
    Case(name="webp-named-png", classes=FOUR),
    Case(name="jpeg2000-files", classes=FOUR),
    Case(name="pacs-cd", status=REJECTED, said=("DICOM", "manifest.csv")),
    Case(
        name="dicom-syntaxes",
        classes=two(10),
        findings={"metadata": 20, "patient_across_splits": 1},
        planted=("SYNTHETIC^ONE", "SYN-1"),
    ),
    Case(name="dicom-no-preamble", classes=FIVE | two(5, 4), findings={"metadata": 1}),
    Case(
        name="nifti-and-npz",
        classes=FOUR,
        refused={"nifti": 1, "numpy": 1, "metaimage": 1},
    ),
    # ----------------------------------------------------------------------------------- quality
    Case(name="inverted-third", classes=two(9), findings={"inverted": 6}),
    Case(name="near-blank", classes=FIVE, refused={"blank": 4}),
    Case(
        name="near-duplicates-in-split",
        classes=two(12),
        splits={"COVID": (5, 1, 6), "Normal": (5, 1, 6)},
        findings={
            "near_duplicate": 12,
            "near_duplicate_across_splits": 12,
            "patient_across_splits": 12,
        },
        patients=12,
    ),
    Case(
        name="patient-in-both-splits",
        classes=two(15),
        findings={"patient_across_splits": 10},
        patients=10,
    ),
    Case(name="patient-random-split", classes=two(18), patients=12),
    Case(
        name="class-all-damaged",
        classes=FOUR,
        findings={"lost_class": 1},
        refused={"truncated": 4},
    ),
    Case(name="burned-in-name", classes=two(6), has_text=4, planted=("MUELLER",)),
    Case(
        name="phi-in-exif",
        classes=FOUR,
        findings={"metadata": 8},
        planted=("MUELLER", "Weber", "12.03.1954"),
    ),
    # ------------------------------------------------------------------------------------ tables
    Case(name="csv-bom-semicolon", classes=FIVE, ignored={"tables": 1}, patients=5),
    Case(
        name="root-images-csv-abs",
        status=AWAITING,
        classes=FIVE,
        said=("train.csv",),
        planted=("anna",),
    ),
]
