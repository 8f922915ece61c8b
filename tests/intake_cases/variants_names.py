"""Second cases of each kind: names in other encodings, and other containers."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from tests.intake_cases.case import AWAITING, REJECTED, Case
from tests.intake_cases.drawing import (
    Files,
    class_folders,
    png,
    unicode_path,
    write_named_zip,
    write_tar,
    write_v7_tar,
    write_zip,
)
from tests.intake_cases.variant import Variant, variant

TWO = {"COVID": "COVID", "Normal": "Normal"}
GUESSED = {"encoding_guessed": 1}


def encoded(
    name: str,
    of: str,
    encoding: str,
    first: str,
    second: str,
    pattern: str = "{c}/{i}.png",
    **case: object,
) -> Variant:
    files = class_folders(pattern, {first: "COVID", second: "Normal"}, 4)
    given: dict = {"classes": {first: 4, second: 4}, "findings": GUESSED} | case
    return Variant(
        of,
        Case(name=name, **given),
        lambda path: write_named_zip(path, {n.encode(encoding): d for n, d in files.items()}),
    )


ENCODED = [
    encoded("big5-backslash", "sjis-backslash", "big5", "肺炎許可", "正常功能"),
    encoded(
        "sjis-folders",
        "sjis-backslash",
        "cp932",
        "表示_肺炎",
        "ソート正常",
        "データ/{c}/画像{i}.png",
    ),
    encoded(
        "sjis-windows-separators", "sjis-backslash", "cp932", "表示", "正常", "胸部\\{c}\\{i}.png"
    ),
    encoded("gbk", "sjis-backslash", "gbk", "新冠肺炎", "正常对照", "胸片数据集/{c}/图像{i}.png"),
    encoded("gbk-short", "sjis-backslash", "gbk", "肺炎", "正常"),
    encoded("korean", "sjis-backslash", "cp949", "폐렴", "정상", "흉부/{c}/{i}.png"),
    encoded("russian-dos", "cp1252-names", "cp866", "Пневмония", "Норма"),
    encoded("cp850-german", "cp1252-names", "cp850", "Lungenentzündung", "Unauffällig"),
    encoded("cp1252-french", "cp1252-names", "cp1252", "Pneumonie avérée", "Sans anomalie décelée"),
    encoded("cp850-spanish", "cp1252-names", "cp850", "Neumonía", "Sin hallazgos"),
    encoded("cp1252-spanish", "cp1252-names", "cp1252", "Neumonía", "Sano"),
    encoded("cp1252-danish", "cp1252-names", "cp1252", "Lungebetændelse", "Ingen påvist"),
    encoded("utf8-chinese", "utf8-without-flag", "utf-8", "肺炎", "正常", findings={}),
    encoded(
        "utf8-decomposed",
        "utf8-without-flag",
        "utf-8",
        "Pneumonie fédérée",
        "Sain",
        findings={},
        pattern="{c}/é{i}.png",
    ),
]


@variant("utf8-without-flag", Case(name="unicode-extra-field", classes={"Größe": 4, "Norm": 4}))
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", {"Größe": "COVID", "Norm": "Normal"}, 4)
    named = {name.encode("cp437", errors="replace"): data for name, data in files.items()}
    extra = {
        name.encode("cp437", errors="replace"): unicode_path(name.encode("cp437", "replace"), name)
        for name in files
    }
    return write_named_zip(path, named, extra=extra)


@variant(
    "utf8-without-flag",
    Case(name="latin-tar", classes={"Lungenentzündung": 4, "Gesund": 4}, findings=GUESSED),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", {"Lungenentzündung": "COVID", "Gesund": "Normal"}, 4)
    return write_tar(path, files, form=tarfile.GNU_FORMAT, encoding="latin-1")


def packed(name: str, mode: str, form: int = tarfile.PAX_FORMAT, root: str = "set") -> Variant:
    files = class_folders(root + "/{c}/{i}.png", TWO, 4)
    return Variant(
        "deflate64",
        Case(name=name, classes={"COVID": 4, "Normal": 4}),
        lambda path: write_tar(path, files, mode=mode, form=form),
    )


LONG = "/".join(["a rather long name of a folder that somebody gave without a thought"] * 3)
PACKED = [
    packed("tar-bz2", "w:bz2"),
    packed("tar-xz", "w:xz"),
    packed("tar-zst", "w:zst"),
    packed("tar-gnu-long", "w", tarfile.GNU_FORMAT, LONG),
    packed("tar-pax-long", "w:gz", root=LONG),
    packed("tar-ustar", "w", tarfile.USTAR_FORMAT),
]


@variant("deflate64", Case(name="tar-of-1979", classes={"COVID": 4, "Normal": 4}))
def _(path: Path) -> Path:
    return write_v7_tar(path, class_folders("{c}/{i}.png", TWO, 4))


@variant("deflate64", Case(name="deflate64-with-root", classes={"COVID": 4, "Normal": 4}))
def _(path: Path) -> Path:
    files = class_folders("Neuer Ordner/Röntgen/{c}/{i}.png", TWO, 4)
    return write_named_zip(path, {n.encode(): d for n, d in files.items()}, method=9)


def with_method(name: str, method: int) -> Variant:
    def write(path: Path) -> Path:
        with zipfile.ZipFile(path, "w", method) as archive:
            for file, content in class_folders("{c}/{i}.png", TWO, 4).items():
                archive.writestr(file, content)
        return path

    return Variant("deflate64", Case(name=name, classes={"COVID": 4, "Normal": 4}), write)


METHODS = [
    with_method("zip-bzip2", zipfile.ZIP_BZIP2),
    with_method("zip-lzma", zipfile.ZIP_LZMA),
    with_method("zip-stored", zipfile.ZIP_STORED),
]


@variant("bad input", Case(name="empty-zip", status=REJECTED, said=("holds no image",)))
def _(path: Path) -> Path:
    return write_zip(path, {})


@variant("bad input", Case(name="folders-alone", status=REJECTED, said=("holds no image",)))
def _(path: Path) -> Path:
    return write_zip(path, {}, folders=["COVID", "Normal"])


@variant("bad input", Case(name="nested-zips", status=REJECTED, said=("unpack",)))
def _(path: Path) -> Path:
    inner = write_zip(path.with_name("inner"), class_folders("{c}/{i}.png", TWO, 3)).read_bytes()
    return write_zip(path, {"COVID/a.zip": inner, "Normal/b.zip": inner + b" "})


@variant("bad input", Case(name="encrypted", status=REJECTED, said=("password",)))
def _(path: Path) -> Path:
    written = bytearray(write_zip(path, class_folders("{c}/{i}.png", TWO, 4)).read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = written.find(mark)
        while at >= 0:
            written[at + place] |= 1
            at = written.find(mark, at + 4)
    path.write_bytes(written)
    return path


@variant("bad input", Case(name="control-characters", classes={"COVID": 4, "Normal": 4}))
def _(path: Path) -> Path:
    files = class_folders("{c}/a\x07\x1b[31m\n{i}.png", TWO, 4)
    return write_named_zip(path, {name.encode(): data for name, data in files.items()})


@variant("bad input", Case(name="names-of-one-case", classes={"COVID": 8, "Normal": 4}))
def _(path: Path) -> Path:
    files = class_folders("COVID/scan{i}.png", {"x": "COVID"}, 4)
    files |= class_folders("COVID/SCAN{i}.PNG", {"x": "COVID"}, 4, first=10)
    return write_zip(path, files | class_folders("Normal/{i}.png", {"x": "Normal"}, 4))


@variant("bad input", Case(name="same-name-twice", classes={"COVID": 5, "Normal": 4}))
def _(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in class_folders("{c}/{i}.png", TWO, 4).items():
            archive.writestr(name, content)
        archive.writestr("COVID/0.png ", png("COVID", 9))
    return path


@variant(
    "bad input",
    Case(
        name="two-hundred-classes",
        status=AWAITING,
        said=("200", "100"),
        confirmed=REJECTED,
        classes={f"class {number:03d}x": 3 for number in range(200)},
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    for number in range(200):
        for i in range(3):
            files[f"class {number:03d}x/{i}.png"] = png("Normal", (3 * number + i) % 40)
    return write_zip(path, files)


@variant("bad input", Case(name="one-class", status=REJECTED, said=("one class",)))
def _(path: Path) -> Path:
    return write_zip(path, class_folders("x/{c}/{i}.png", {"COVID": "COVID"}, 6))


@variant("bad input", Case(name="loose-pictures", status=REJECTED, said=("folder per class",)))
def _(path: Path) -> Path:
    return write_zip(path, class_folders("{i}.png", {"COVID": "COVID"}, 6))


@variant(
    "bad input",
    Case(
        name="two-pictures-each",
        status=AWAITING,
        classes={"COVID": 2, "Normal": 2},
        said=("fewer than 3", "Add images"),
        confirmed=REJECTED,
    ),
)
def _(path: Path) -> Path:
    return write_zip(path, class_folders("{c}/{i}.png", TWO, 2))


@variant("bad input", Case(name="seven-zip", status=REJECTED, said=("7-Zip",)))
def _(path: Path) -> Path:
    path.write_bytes(b"7z\xbc\xaf\x27\x1c\0\4" + bytes(600))
    return path


@variant("bad input", Case(name="cut-short", status=REJECTED, said=("cut short",)))
def _(path: Path) -> Path:
    written = write_zip(path, class_folders("{c}/{i}.png", TWO, 4)).read_bytes()
    path.write_bytes(written[: len(written) // 2])
    return path


VARIANTS = [*ENCODED, *PACKED, *METHODS]
