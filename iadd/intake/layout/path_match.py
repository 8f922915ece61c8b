"""Finds the file that a table's row means: by the longest end of its path that is unique."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from iadd.intake.layout.words import word_set

# Table writers drop or change the ending (DICOM identifiers, converted pictures).
_ENDINGS = word_set("png jpg jpeg jp2 j2k jls tif tiff bmp webp dcm dicom gz nii img npy")
_SEVERAL = -1


def value_parts(value: str) -> tuple[str, ...]:
    """Split a table's path into folders and name; either slash, no drive, no leading slash."""
    plain = unicodedata.normalize("NFC", value.strip()).replace("\\", "/")
    return tuple(part for part in plain.split("/") if part not in ("", ".", ".."))


def without_ending(name: str) -> str:
    """Drop the ending of a picture's name; an identifier with dots stays whole."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot and stem and ending.casefold() in _ENDINGS else name


class PathIndex:
    """The files of an archive by the ends of their paths.

    Attributes:
        files: the paths it was built from, as parts.
    """

    def __init__(self, files: Sequence[tuple[str, ...]]) -> None:
        self.files = files
        self._deepest = max(map(len, files), default=0)
        # Hashes instead of strings: 200,000 paths of five levels cost 20 MB a level at most.
        self._by_end: dict[tuple[int, bool], dict[int, int]] = {}

    def find(self, value: str) -> tuple[int | None, int]:
        """Find the file that `value` names.

        Returns:
            The file's index and the number of path parts that agree; (None, 0) where no file has
            such an end; (None, n) where several files share an end of n parts and none has more.
        """
        parts = value_parts(value)
        if not parts:
            return None, 0
        for bare in (False, True):
            for length in range(min(len(parts), self._deepest), 0, -1):
                found = self._ends(length, bare).get(self._key(parts, length, bare))
                if found is not None:
                    return (None, length) if found == _SEVERAL else (found, length)
        return None, 0

    def _ends(self, length: int, bare: bool) -> dict[int, int]:
        ends = self._by_end.get((length, bare))
        if ends is None:
            ends = {}
            for index, parts in enumerate(self.files):
                if len(parts) >= length:
                    key = self._key(parts, length, bare)
                    ends[key] = _SEVERAL if key in ends else index
            self._by_end[length, bare] = ends
        return ends

    @staticmethod
    def _key(parts: tuple[str, ...], length: int, bare: bool) -> int:
        end = parts[-length:]
        if bare:
            end = (*end[:-1], without_ending(end[-1]))
        return hash("/".join(end).casefold())


class FolderIndex:
    """The files of an archive by the folders that a row's identifiers name (MIMIC studies)."""

    def __init__(self, files: Sequence[tuple[str, ...]]) -> None:
        self._by_folder: dict[str, dict[tuple[str, ...], list[int]]] = {}
        self._names: dict[tuple[str, ...], list[int]] = {}
        for index, parts in enumerate(files):
            self._names.setdefault(parts[:-1], []).append(index)
        for folders, indices in self._names.items():
            for name in {_bare_identifier(folder) for folder in folders}:
                self._by_folder.setdefault(name, {})[folders] = indices

    def find(self, values: Sequence[str]) -> list[int]:
        """Return the files that lie under folders named by every one of `values`.

        ``50414267`` names a folder ``s50414267`` too, and ``50414267.0`` is the same number.
        """
        found: dict[tuple[str, ...], list[int]] | None = None
        # The last identifier is the narrowest: a study lies in few folders, a patient in several.
        for value in reversed(values):
            if not value.strip():
                return []
            there = self._by_folder.get(_bare_identifier(value), {})
            if found is None:
                found = there
            else:
                found = {folders: files for folders, files in found.items() if folders in there}
            if not found:
                return []
        return [index for files in (found or {}).values() for index in files]


def _bare_identifier(value: str) -> str:
    value = value.strip().casefold().removesuffix(".0")
    return value[1:] if value[:1] in ("p", "s") and value[1:].isdigit() else value
