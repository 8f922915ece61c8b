"""Errors of the intake: of one file, or of a whole dataset.

Codes are stable and meant for programs; reasons and messages are meant for people and say what to
do. A reason never repeats the content of a file. It may repeat a file's name, which may carry
patient identifiers: rejected files belong in the owner's quality report and nowhere else.
"""

from dataclasses import dataclass

_LONGEST_NAME = 200


def printable(name: str) -> str:
    """Turn `name` into one printable line of bounded length, safe to store as UTF-8 and print."""
    line = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
    return line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1] + "…"


@dataclass(frozen=True)
class RejectedFile:
    """One file that was left out, and why.

    Attributes:
        name: the file's name in the archive, made printable (`printable`).
        code: a stable word: ``not_an_image``, ``truncated``, ``too_large``, ``duplicate``, …
        reason: a sentence for the person who packed the archive.
    """

    name: str
    code: str
    reason: str


class FileError(Exception):
    """One file cannot be used; the rest of the dataset is read all the same."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class DatasetError(ValueError):
    """The dataset as a whole cannot be used.

    Attributes:
        code: a stable word: ``not_an_archive``, ``one_class``, ``too_few_images``, …
        title: what is wrong, in a few words.
        rejected: the files that had been rejected by then.

    The message says what is wrong and what to do about it.
    """

    def __init__(
        self, code: str, title: str, message: str, rejected: tuple[RejectedFile, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.title = title
        self.rejected = rejected
