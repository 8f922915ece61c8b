"""Bounds the cost of reading one archive, whatever its headers claim."""

from __future__ import annotations

from dataclasses import dataclass

from iadd.intake.containers.refusals import too_many_bytes, too_much_inflated
from iadd.intake.errors import DatasetError, FileError

MEBIBYTE = 1 << 20
# Compression is judged from this size on: a few kilobytes of black compress a thousandfold too.
_RATIO_FLOOR = 4 * MEBIBYTE


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on the cost of reading one archive.

    Attributes:
        entries: entries in the archive, folders and refused ones included.
        entry_bytes: unpacked bytes of one entry; a larger one is refused alone.
        total_bytes: unpacked bytes of all entries together; those that are too large to be read
            count in a tar alone.
        ratio: unpacked bytes per packed byte, of an entry and of the whole archive. Deflate
            reaches 1,032; radiographs stay below 10.
    """

    entries: int = 200_000
    entry_bytes: int = 64 * MEBIBYTE
    total_bytes: int = 64 * 1024 * MEBIBYTE
    ratio: float = 200.0

    def check_entry(self, size: int, packed: int | None) -> None:
        """Check the size of one entry before it is read.

        Args:
            size: Unpacked bytes, as declared.
            packed: Packed bytes; None where an entry is not packed by itself.

        Raises:
            FileError: ``too_large`` or ``inflated``.
        """
        if size > self.entry_bytes:
            mebibytes = self.entry_bytes / MEBIBYTE
            raise FileError("too_large", f"It is larger than {mebibytes:g} MiB unpacked.")
        if packed is not None and size > max(_RATIO_FLOOR, packed * self.ratio):
            raise FileError(
                "inflated",
                f"It unpacks to more than {self.ratio:g} times its packed size, which radiographs "
                "never do.",
            )

    def total_budget(self, packed: int) -> int:
        """Return the most bytes that an archive of `packed` bytes may unpack to."""
        return min(self.total_bytes, int(max(_RATIO_FLOOR, packed * self.ratio)))

    def over_total(self, packed: int) -> DatasetError:
        """Return the refusal of an archive of `packed` bytes that passes its budget."""
        if self.total_budget(packed) == self.total_bytes:
            return too_many_bytes(self.total_bytes)
        return too_much_inflated(self.ratio)


DEFAULT_LIMITS = Limits()
