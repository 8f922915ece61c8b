"""Where each entry of an archive went: accepted, refused for a defect, or ignored."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from iadd.intake.errors import FileError


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that was to be read and cannot be used.

    Attributes:
        parts: its folders and its name; they may name a patient.
        code: a stable word.
        reason: a sentence for the person who packed the archive; it holds nothing of the file.
    """

    parts: tuple[str, ...]
    code: str
    reason: str


@dataclass
class Accounting:
    """Counts of one archive; ``accepted + refused + ignored = entries``.

    Attributes:
        entries: files of the archive, folders left out.
        accepted: pictures in the dataset.
        refused: files with a defect, and repetitions of other files.
        ignored: files that are no candidates, and pictures that the layout leaves out, by kind.
    """

    entries: int = 0
    accepted: int = 0
    refused: list[RefusedFile] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def refuse(self, parts: tuple[str, ...], error: FileError) -> None:
        """Record a file that cannot be used."""
        self.refused.append(RefusedFile(parts, error.code, error.reason))

    def copy(self) -> Accounting:
        """Return counts that go on independently."""
        return Accounting(self.entries, self.accepted, list(self.refused), Counter(self.ignored))
