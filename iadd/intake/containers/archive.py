"""What an opened archive is, whichever format it came in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from iadd.intake.containers.guess_encoding import NamesGuess


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive.

    Attributes:
        name: as the archive has it, decoded, with ``/`` between folders: untrusted, possibly
            unprintable, never a path.
        size: unpacked bytes as the archive declares them, known without reading.
        position: how far into the archive this entry is, in the archive's unit.
        read: returns its whole content, at most `Limits.entry_bytes` long; raises `FileError`.
            Call it before going on to the next entry.
    """

    name: str
    size: int
    position: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Archive:
    """An opened archive.

    Attributes:
        entries: each file once, folders left out; raises `DatasetError` when a limit is passed or
            the archive turns out to be damaged. Files that are not read cost no decompression in a
            zip.
        total: the last position, at least 1.
        unit: what positions count: ``files``, or ``bytes`` where the number of files is known only
            at the end.
        folders: names of the folders that the archive lists by themselves, empty ones too; filled
            while entries are gone through.
    """

    entries: Iterator[Entry]
    total: int
    unit: str
    folders: list[str]
    _guess_names: Callable[[], NamesGuess | None] = field(default=lambda: None, repr=False)

    @cached_property
    def names(self) -> NamesGuess | None:
        """How names of unknown encoding are decoded; None where the archive has no such names.

        Ask a tar after its entries have been gone through: asked before, it is read once more.
        """
        return self._guess_names()
