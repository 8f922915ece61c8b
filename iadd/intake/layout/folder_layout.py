"""Reads the class of each picture, and its split where one is given, from the folders.

It understands one folder per class, with any folders around all of them; the layout of the public
radiography database, ``<root>/<class>/images/x.png`` with ``<class>/masks/`` beside; and a level
``train``, ``test``, ``val`` above or below the class.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from iadd.intake.errors import DatasetError, printable
from iadd.intake.layout.class_names import MOST_CLASSES, class_name_problem
from iadd.intake.splits import SPLITS

_SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_IMAGE_FOLDERS = {"image", "images", "img", "imgs"}
_MASK_FOLDERS = {"mask", "masks"}
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}
_DOCUMENT_NAMES = {"copying", "licence", "license", "md5sums", "notice", "readme", "sha256sums"}
_DOCUMENTS = (
    *(".csv", ".doc", ".docx", ".htm", ".html", ".json", ".log", ".md", ".ods", ".odt", ".pdf"),
    *(".rtf", ".tsv", ".txt", ".xls", ".xlsx", ".xml", ".yaml", ".yml"),
)


@dataclass(frozen=True)
class Placement:
    """The class and the split of one picture.

    Attributes:
        class_name: None where it lies in no class folder.
        split: index into `SPLITS`, None where the archive states none.
    """

    class_name: str | None
    split: int | None


def path_parts(name: str) -> tuple[str, ...] | None:
    """Split an entry's name into folders and file name; None when it points outside the archive."""
    plain = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = tuple(part for part in plain.split("/") if part not in ("", "."))
    outside = plain.startswith("/") or ".." in parts or plain[1:2] == ":"
    return None if outside or not parts else parts


def ignore_reason(parts: tuple[str, ...]) -> str | None:
    """Return why a file is not a candidate, judged by its name; None for candidates."""
    *folders, file = (part.lower() for part in parts)
    if "__macosx" in folders or file in _SYSTEM_FILES or any(p.startswith(".") for p in parts):
        return "system files"
    if not _MASK_FOLDERS.isdisjoint(folders):
        return "masks"
    if file in _DOCUMENT_NAMES or file.endswith(_DOCUMENTS):
        return "documents"
    return None


def place(names: Sequence[tuple[str, ...]]) -> list[Placement]:
    """Derive the class and the split of each picture from the parts of their names.

    Raises:
        DatasetError: ``class_name``, ``class_names_alike`` or ``too_many_classes``.
    """
    folders = [_without_image_folder(parts[:-1]) for parts in names]
    folders = _without_common_roots(folders)
    placements = _with_split_level(folders)
    _check_class_names(sorted({p.class_name for p in placements if p.class_name is not None}))
    return placements


def _without_image_folder(folders: tuple[str, ...]) -> tuple[str, ...]:
    if len(folders) > 1 and folders[-1].lower() in _IMAGE_FOLDERS:
        return folders[:-1]
    return folders


def _without_common_roots(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    inside = [path for path in folders if path]
    if not inside:
        return folders
    depth = min(len(path) for path in inside)
    common = 0
    while common < depth - 1 and len({path[common] for path in inside}) == 1:
        common += 1
    return [path[common:] for path in folders]


def _with_split_level(folders: list[tuple[str, ...]]) -> list[Placement]:
    """Find the one level whose folders are all split names, ``train`` among them."""
    inside = [path for path in folders if path]
    for level in (0, 1):
        names = {path[level].lower() for path in inside if len(path) > level}
        deep_enough = all(len(path) >= 2 for path in inside)
        splits = {_SPLIT_FOLDERS.get(name) for name in names}
        if inside and deep_enough and None not in splits and "train" in splits:
            return [
                Placement(path[1 - level], SPLITS.index(_SPLIT_FOLDERS[path[level].lower()]))
                if path
                else Placement(None, None)
                for path in folders
            ]
    return [Placement(path[0] if path else None, None) for path in folders]


def _check_class_names(names: list[str]) -> None:
    if len(names) > MOST_CLASSES:
        raise DatasetError(
            "too_many_classes",
            "The archive holds too many class folders",
            f"{len(names):,} folders were taken for classes; at most {MOST_CLASSES} are allowed. "
            "Put one folder per class at the top of the archive, and patients' folders below.",
        )
    for name in names:
        if problem := class_name_problem(name):
            raise DatasetError(
                "class_name",
                "A class folder has a name that cannot be used",
                f"The name of the class folder “{printable(name)}” {problem}. Rename it and upload "
                "the archive again.",
            )
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise DatasetError(
                "class_names_alike",
                "Two class folders have names that differ in capitals alone",
                f"“{other}” and “{name}” would be one folder on many systems. Merge or rename "
                "them and upload the archive again.",
            )
