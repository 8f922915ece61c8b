"""Second cases of each kind: manifests and tables of other makes, and wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.intake_cases.case import AWAITING, REJECTED, Case
from tests.intake_cases.drawing import Files, class_folders, png, write_zip
from tests.intake_cases.variant import Variant, variant

FIVE = {"COVID": 5, "Normal": 5}
TABLES = {"tables": 1}


def pictures(folder: str = "img/", count: int = 10) -> Files:
    return {f"{folder}{i:03d}.png": png(("COVID", "Normal")[i % 2], i) for i in range(count)}


def label(i: int) -> str:
    return ("COVID", "Normal")[i % 2]


def table(
    head: Iterable[str],
    row: Callable[[int], Iterable[object]],
    *,
    separator: str = ",",
    count: int = 10,
    encoding: str = "utf-8",
    line: str = "\n",
) -> bytes:
    rows = [separator.join(head), *(separator.join(map(str, row(i))) for i in range(count))]
    return (line.join(rows) + line).encode(encoding)


def manifest(
    name: str,
    of: str,
    content: bytes,
    *,
    file: str = "manifest.csv",
    folder: str = "img/",
    extra: Files | None = None,
    **case: Any,
) -> Variant:
    files = pictures(folder) | {file: content} | (extra or {})
    given = {"classes": FIVE, "ignored": TABLES} | case
    return Variant(of, Case(name=name, **given), lambda path: write_zip(path, files))


ASKED: dict[str, Any] = {"status": AWAITING, "ignored": {}}


def row(i: int) -> tuple[object, ...]:
    return (f"img/{i:03d}.png", label(i), f"P{i // 2}")


VARIANTS = [
    manifest(
        "manifest-tabs",
        "csv-bom-semicolon",
        table(("file", "label", "patient"), row, separator="\t"),
        patients=5,
    ),
    manifest(
        "manifest-utf16",
        "csv-bom-semicolon",
        table(("file", "label", "patient"), row, separator="\t", encoding="utf-16"),
        patients=5,
    ),
    manifest(
        "manifest-utf16-unmarked",
        "csv-bom-semicolon",
        table(("file", "label", "patient"), row, separator=";", encoding="utf-16-be"),
        patients=5,
    ),
    manifest(
        "manifest-below-titles",
        "csv-bom-semicolon",
        b"# exported\r\nRegister 2023;;\r\n\r\n"
        + table(("file", "label", "patient"), row, separator=";", line="\r\n"),
        patients=5,
    ),
    manifest(
        "manifest-capitals",
        "csv-bom-semicolon",
        table(("File", "LABEL", "Patient ID"), row, separator=";", line="\r\n"),
        patients=5,
    ),
    manifest(
        "manifest-split",
        "csv-bom-semicolon",
        table(
            ("file", "label", "split"),
            lambda i: (
                f"img/{i:03d}.png",
                label(i),
                ("train", "train", "val", "val", "test", "test")[i % 6],
            ),
        ),
        splits={"COVID": (2, 2, 1), "Normal": (2, 2, 1)},
    ),
    manifest(
        "german-headings",
        "csv-bom-semicolon",
        table(("Dateiname", "Befund", "Patientennummer"), row, separator=";", encoding="cp1252"),
        file="Befundliste.csv",
        said=("Befundliste.csv", "Befund"),
        **ASKED,
    ),
    manifest(
        "german-umlauts",
        "csv-bom-semicolon",
        table(
            ("Dateiname", "Befund"),
            lambda i: (f"{i:03d}.png", ("Unauffällig", "Lungenentzündung")[i % 2]),
            separator=";",
            encoding="cp1252",
        ),
        file="liste.csv",
        said=("liste.csv",),
        **(ASKED | {"classes": {"Lungenentzündung": 5, "Unauffällig": 5}}),
    ),
    manifest(
        "spanish-headings",
        "csv-bom-semicolon",
        table(("Archivo", "Diagnóstico", "Paciente"), row, separator=";"),
        file="datos.csv",
        said=("datos.csv", "Diagnóstico"),
        **ASKED,
    ),
    manifest(
        "french-headings",
        "csv-bom-semicolon",
        table(("Nom du fichier", "Étiquette", "Patient"), row, separator=";"),
        file="liste.csv",
        said=("Étiquette",),
        **ASKED,
    ),
    manifest(
        "russian-headings",
        "csv-bom-semicolon",
        table(("Файл", "Диагноз", "Пациент"), row),
        file="список.csv",
        said=("Диагноз",),
        **ASKED,
    ),
    manifest(
        "quoted-commas",
        "csv-bom-semicolon",
        table(("file", "label"), lambda i: (f'"img/{i:03d}.png"', f'"{label(i)}, seen"')),
        classes={"COVID, seen": 5, "Normal, seen": 5},
    ),
    manifest(
        "windows-paths",
        "root-images-csv-abs",
        table(("file", "label"), lambda i: (f"C:\\Users\\anna\\img\\{i:03d}.png", label(i))),
        planted=("anna",),
    ),
    manifest(
        "urls",
        "root-images-csv-abs",
        table(("file", "label"), lambda i: (f"file:///data/anna/img/{i:03d}.png", label(i))),
        planted=("anna",),
    ),
    manifest(
        "without-endings",
        "root-images-csv-abs",
        table(("id", "label"), lambda i: (f"{i:03d}", label(i))),
        file="train.csv",
        folder="",
        said=("train.csv",),
        **ASKED,
    ),
    manifest(
        "other-endings",
        "root-images-csv-abs",
        table(("path", "label"), lambda i: (f"/data/x/{i:03d}.dcm", label(i))),
        file="l.csv",
        folder="",
        said=("l.csv",),
        **ASKED,
    ),
    manifest(
        "numbers-as-labels",
        "root-images-csv-abs",
        table(("image", "target"), lambda i: (f"{i:03d}.png", i % 2)),
        file="train.csv",
        folder="",
        said=("train.csv",),
        **(ASKED | {"classes": {"0": 5, "1": 5}}),
    ),
    manifest(
        "one-hot",
        "chexpert-layout",
        table(("image", "COVID", "Normal"), lambda i: (f"{i:03d}.png", int(i % 2 == 0), i % 2)),
        file="labels.csv",
        said=("labels.csv", "0/1"),
        **ASKED,
    ),
    manifest(
        "column-twice",
        "bad input",
        table(("file", "label", "label"), lambda i: (*row(i)[:2], "Other")),
        said=("column “label” twice",),
        **ASKED,
    ),
    manifest(
        "labels-for-half",
        "bad input",
        table(("file", "label"), lambda i: row(i)[:2], count=6),
        said=("4 of 10 images have no row",),
        **(ASKED | {"classes": {"COVID": 3, "Normal": 3}}),
    ),
    manifest(
        "rows-without-file",
        "bad input",
        table(("file", "label"), lambda i: row(i)[:2], count=14),
        said=("4 of 14 rows",),
        **ASKED,
    ),
    manifest(
        "names-no-file",
        "bad input",
        table(("file", "label"), lambda i: (f"scans/x{i}.png", label(i))),
        status=REJECTED,
        classes={},
        ignored={},
        said=("names a file",),
    ),
    manifest(
        "rows-contradict",
        "bad input",
        table(
            ("file", "label"),
            lambda i: (f"img/{i % 10:03d}.png", label(i) if i < 10 else "COVID"),
            count=12,
        ),
        said=("different labels",),
        **(ASKED | {"classes": {"COVID": 5, "Normal": 4}}),
    ),
    manifest(
        "heading-alone",
        "bad input",
        b"file,label\n",
        status=REJECTED,
        classes={},
        ignored={},
        said=("manifest.csv",),
    ),
    manifest("empty-table", "bad input", b"", status=REJECTED, classes={}, ignored={}),
    manifest(
        "binary-table", "bad input", bytes(range(256)) * 8, status=REJECTED, classes={}, ignored={}
    ),
    manifest(
        "two-manifests",
        "bad input",
        table(("file", "label"), lambda i: row(i)[:2]),
        extra={"b/manifest.csv": table(("file", "label"), lambda i: (row(i)[0], label(i + 1)))},
        said=("2 tables give labels",),
        **ASKED,
    ),
    manifest(
        "manifest-beside-copy",
        "bad input",
        table(("file", "label"), lambda i: row(i)[:2]),
        extra={"old/labels.csv": b"a,b\n1,2\n"},
        ignored={"tables": 2},
    ),
    manifest(
        "notes-beside",
        "csv-bom-semicolon",
        table(("file", "label"), lambda i: row(i)[:2]),
        extra={"notes.txt": b"Please note that the pictures were anonymised.\n", "README.md": b"x"},
        ignored={"tables": 1, "documents": 2},
    ),
    manifest(
        "labels-with-bars",
        "nih-layout",
        table(("file", "label"), lambda i: (row(i)[0], label(i) + ("|Mass" if i > 7 else ""))),
        said=("2 images have several labels",),
        **(ASKED | {"classes": {"COVID": 4, "Normal": 4}}),
    ),
    manifest(
        "labels-in-lists",
        "nih-layout",
        table(
            ("ImageID", "Labels", "Projection"),
            lambda i: (f"{i:03d}.png", f"\"['{label(i)}']\"", "PA"),
        ),
        file="PADCHEST.csv",
        said=("Labels",),
        **ASKED,
    ),
    manifest(
        "views",
        "chexpert-layout",
        table(("file", "label", "view"), lambda i: (*row(i)[:2], "L" if i in (8, 9) else "PA")),
        said=("2 lateral",),
        **(ASKED | {"classes": {"COVID": 4, "Normal": 4}}),
    ),
    manifest(
        "patients-planted",
        "csv-bom-semicolon",
        table(("file", "label", "patient"), lambda i: (*row(i)[:2], f"DOE^JANE{i // 2}")),
        patients=5,
        planted=("DOE", "JANE"),
    ),
    manifest(
        "label-spellings",
        "class-spellings",
        table(
            ("file", "label"),
            lambda i: (row(i)[0], ("covid-19", "Normal", "COVID 19", "normal")[i % 4]),
        ),
        said=("spellings",),
        **(ASKED | {"classes": {"covid-19": 5, "Normal": 5}}),
    ),
]


@variant(
    "csv-bom-semicolon",
    Case(
        name="table-beside-folders",
        classes={"COVID": 6, "Normal": 6},
        status=AWAITING,
        said=("patients.csv",),
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{c}{i}.png", {"COVID": "COVID", "Normal": "Normal"}, 6)
    rows = ["filename,patient_id"]
    rows += [f"{name.split('/')[1]},{name.split('/')[0]}{i // 2}" for i, name in enumerate(files)]
    return write_zip(path, files | {"patients.csv": "\n".join(rows).encode()})


@variant(
    "csv-bom-semicolon",
    Case(name="table-of-other-things", classes={"COVID": 6, "Normal": 6}, ignored={"tables": 1}),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", {"COVID": "COVID", "Normal": "Normal"}, 6)
    return write_zip(path, files | {"scanner.csv": b"device,kv,mas\nA,120,2\nB,110,3\n"})


@variant("csv-bom-semicolon", Case(name="excel-alone", status=REJECTED, said=("manifest.csv",)))
def _(path: Path) -> Path:
    return write_zip(path, pictures() | {"labels.xlsx": b"PK\3\4" + bytes(50)})


@variant(
    "bad input",
    Case(
        name="manifest-against-folders",
        status=AWAITING,
        classes=FIVE,
        said=("10 images lie in the folder of another class than the table states",),
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", {"COVID": "COVID", "Normal": "Normal"}, 5)
    rows = ["file,label"]
    rows += [f"{name},{'Normal' if name.startswith('COVID') else 'COVID'}" for name in files]
    return write_zip(path, files | {"manifest.csv": "\n".join(rows).encode()})


@variant(
    "bad input",
    Case(
        name="manifest-of-one-column", status=REJECTED, said=("“manifest.csv” could not be read",)
    ),
)
def _(path: Path) -> Path:
    return write_zip(path, pictures() | {"manifest.csv": b"file\nimg/000.png\nimg/001.png\n"})


@variant(
    "bad input",
    Case(name="label-with-a-slash", status=REJECTED, said=("“a/b” must not hold /", "label")),
)
def _(path: Path) -> Path:
    content = table(("file", "label"), lambda i: (row(i)[0], ("a/b", "Normal")[i % 2]))
    return write_zip(path, pictures() | {"manifest.csv": content})
