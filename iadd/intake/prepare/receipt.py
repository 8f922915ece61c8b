"""What became of one file of the source. Receipts name files, so they stay where they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Became = Literal["accepted", "refused", "ignored"]

RETRIED = frozenset({"decoder_failed", "unreadable"})
"""Refusals that may have had a reason outside the file, such as an interrupt: tried again."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the manifest; empty texts where nothing is known.

    Attributes:
        label: the class.
        patient: keyed hash.
        split: ``train``, ``validation`` or ``test``.
        view: a word of the standard.
        site: as the source names it, or a hash of it.
    """

    label: str
    patient: str = ""
    split: str = ""
    view: str = ""
    site: str = ""


@dataclass(frozen=True, kw_only=True)
class Grey:
    """How the grey levels of a picture were decided; see `GreyScale`.

    Attributes:
        group: format and pixel kind.
        folder: hashes of its folders, joined by ``/``.
        high: 99.9th percentile of the levels.
        depth: bits, where the file states them.
        used: bits that the levels were scaled by.
    """

    group: str
    folder: str
    high: float
    depth: int | None
    used: int | None = None


@dataclass(frozen=True, kw_only=True)
class FileReceipt:
    """The receipt of one file.

    Attributes:
        file: its name in the source, as it stands there.
        path: keyed hash of that name.
        size: its bytes, by which a changed file is noticed.
        status: what became of it.
        became: the picture, relative to the prepared folder.
        dicom: the scrubbed DICOM file, relative to its folder.
        code: of the refusal.
        reason: of the refusal, or the kind of what is ignored.
        found: kinds of metadata that the file carried; none of it is in the picture.
        removed: keywords of DICOM elements that were taken out of `dicom`.
        replaced: keywords of those that hold a hash, or nothing, there.
        codes: of PS3.15: 113100, 113101.
        text_boxes: places of text that were painted black.
        row: its line of the manifest.
        grey: how its grey levels were scaled.
    """

    file: str
    path: str
    size: int
    status: Became
    became: str | None = None
    dicom: str | None = None
    code: str | None = None
    reason: str | None = None
    found: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    text_boxes: int = 0
    row: Row | None = None
    grey: Grey | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without what says nothing."""
        return _without_nothing(asdict(self))

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> FileReceipt:
        """Read the JSON form.

        Raises:
            TypeError: it is none.
        """
        values = dict(document)
        for name in ("found", "removed", "replaced", "codes"):
            values[name] = tuple(values.get(name, ()))
        if "row" in values:
            values["row"] = Row(**values["row"])
        if "grey" in values:
            values["grey"] = _grey(values["grey"])
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A picture that was decoded and waits for the grey levels of the others. It has no name.

    Attributes:
        path: keyed hash of the file's name.
        size: bytes of the file.
        row: its line of the manifest.
        grey: how its levels are to be scaled.
        found: kinds of metadata that the file carried.
        removed: see `FileReceipt`.
        replaced: see `FileReceipt`.
        codes: see `FileReceipt`.
        has_dicom: whether a scrubbed DICOM file waits too.
        text_boxes: places of text that were painted black.
    """

    path: str
    size: int
    row: Row
    grey: Grey
    found: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    has_dicom: bool = False
    text_boxes: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return _without_nothing(asdict(self))

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Waiting:
        """Read the JSON form.

        Raises:
            TypeError: it is none.
            KeyError: it lacks something.
        """
        values = dict(document)
        for name in ("found", "removed", "replaced", "codes"):
            values[name] = tuple(values.get(name, ()))
        return cls(**{**values, "row": Row(**values["row"]), "grey": _grey(values["grey"])})


def _grey(values: dict[str, Any]) -> Grey:
    return Grey(**{"depth": None, **values})


def _without_nothing(document: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in document.items():
        if isinstance(value, dict):
            kept[name] = {inner: of for inner, of in value.items() if of not in (None, "")}
        elif value is not None and value != () and value is not False:
            kept[name] = value
    return kept
