"""How the intake says no: to one file, or to a whole dataset.

Codes are stable and meant for programs; reasons and messages are meant for people and say what to
do. A reason never repeats what a file holds. It may repeat a file's name, which may carry patient
identifiers: refusals belong in the owner's quality report and nowhere else.
"""

from dataclasses import dataclass

_LONGEST_SHOWN = 200


def shown(name: str) -> str:
    """`name` as one printable line of bounded length, safe to store as UTF-8 and to print."""
    line = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name
    )
    return line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 1] + "…"


@dataclass(frozen=True)
class Refusal:
    """One file that was left out, and why.

    Attributes:
        name: the file's name in the archive, made printable (`shown`).
        code: a stable word: ``not_an_image``, ``truncated``, ``too_large``, ``duplicate``, …
        reason: a sentence for the person who packed the archive.
    """

    name: str
    code: str
    reason: str


class FileRefused(Exception):  # noqa: N818 - it names what happened to the file, not a defect
    """One file cannot be used; the rest of the dataset goes on."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class DatasetError(ValueError):
    """The dataset as a whole cannot be used.

    Attributes:
        code: a stable word: ``not_an_archive``, ``one_class``, ``too_few_images``, …
        title: what is wrong, in a few words.
        refusals: the files that had been refused by then.

    The message says what is wrong and what to do about it.
    """

    def __init__(
        self, code: str, title: str, message: str, refusals: tuple[Refusal, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.title = title
        self.refusals = refusals
