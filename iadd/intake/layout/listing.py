"""The files of an archive as the layout sees them: names and sizes, no content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One candidate picture of an archive.

    Attributes:
        parts: its folders and its name, NFC, without a leading slash.
        size: in bytes.
    """

    parts: tuple[str, ...]
    size: int
