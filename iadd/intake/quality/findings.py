"""What can be wrong with a dataset, what it means for a model, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warn", "hold"]
"""``hold`` keeps a dataset from release, not from distillation, until the steward decides."""
Action = Literal["leave_out", "turn", "merge", "accept"]

NAMES_SHOWN = 5
"""Names and pairs of a finding that travel with it; a page of its own lists all."""


@dataclass(frozen=True)
class FindingKind:
    """One kind of finding.

    Attributes:
        severity: how much it matters.
        title: a few words, in the plural.
        meaning: one sentence: what it does to a model, or to what is shared.
        action: what the steward is offered first; ``accept`` is always possible.
    """

    severity: Severity
    title: str
    meaning: str
    action: Action


FINDINGS: dict[str, FindingKind] = {
    "near_duplicate": FindingKind(
        "info",
        "Nearly the same pictures",
        "A picture that is there twice counts twice; both are kept in one split.",
        "leave_out",
    ),
    "near_duplicate_across_splits": FindingKind(
        "warn",
        "Nearly the same pictures in two splits",
        "A model is tested on pictures that it has learnt by heart, so its score is too high.",
        "leave_out",
    ),
    "patient_across_splits": FindingKind(
        "warn",
        "Patients in two splits",
        "A model can recognise the patient instead of the disease, so its score is too high.",
        "leave_out",
    ),
    "inverted": FindingKind(
        "warn",
        "Inverted pictures",
        "Lungs are bright and bones dark, so a model learns the opposite of what others show.",
        "turn",
    ),
    "outlier": FindingKind(
        "warn",
        "Pictures unlike all others",
        "It may show another part of the body, or lie on its side; a model learns noise from it.",
        "leave_out",
    ),
    "lateral": FindingKind(
        "warn",
        "Lateral views",
        "A view from the side shows other shadows; mixed with frontal views it blurs both.",
        "leave_out",
    ),
    "low_contrast": FindingKind(
        "warn",
        "Pictures of low contrast",
        "They use few grey levels, so a model sees hardly any structure in them.",
        "leave_out",
    ),
    "blank": FindingKind(
        "warn",
        "Blank pictures",
        "They show nearly one grey, so a model learns a label from nothing.",
        "leave_out",
    ),
    "mask_like": FindingKind(
        "warn",
        "Pictures of two values",
        "They look like segmentation masks, from which a model learns outlines and no disease.",
        "leave_out",
    ),
    "text_in_picture": FindingKind(
        "hold",
        "Text in pictures",
        "It may name a patient, and a model may copy it into what is shared.",
        "leave_out",
    ),
    "imbalance": FindingKind(
        "warn",
        "Classes of very unequal size",
        "The largest class has more than five times the pictures of the smallest, which a model "
        "then rarely predicts.",
        "accept",
    ),
    "empty_class": FindingKind(
        "warn",
        "Class folders without a picture",
        "A model cannot learn a class that has no picture.",
        "accept",
    ),
    "lost_class": FindingKind(
        "warn",
        "Classes of which no picture could be read",
        "A model will not know them, though their folders are in the archive.",
        "accept",
    ),
    "pages": FindingKind(
        "info",
        "Files of several pages",
        "The largest page was read; what the others show is not learnt from.",
        "accept",
    ),
    "metadata": FindingKind(
        "info",
        "Files with descriptive metadata",
        "It was dropped from the pictures, but the archive that was sent holds it.",
        "accept",
    ),
    "class_spellings": FindingKind(
        "warn",
        "Classes that differ only in spelling",
        "A model learns to tell apart what is one disease under several spellings.",
        "merge",
    ),
    "rows_without_file": FindingKind(
        "warn",
        "Rows of the table without a file",
        "Pictures that the table describes are not in the archive, so nothing is learnt from them.",
        "accept",
    ),
    "files_without_row": FindingKind(
        "warn",
        "Files without a row in the table",
        "Their class is not known, so they are left out.",
        "accept",
    ),
    "several_labels": FindingKind(
        "info",
        "Pictures with several labels",
        "A model learns one class per picture; which one was chosen with the layout.",
        "accept",
    ),
    "uncertain_labels": FindingKind(
        "info",
        "Labels marked as uncertain",
        "Counted as sure, they teach a model what the radiologist was not sure of.",
        "leave_out",
    ),
    "patient_shaped_class": FindingKind(
        "hold",
        "Class names that look like patients",
        "The names of classes are shared with every model, and a patient's name would travel too.",
        "merge",
    ),
    "secondary_capture": FindingKind(
        "info",
        "Screenshots and scanned films",
        "They are second-hand pictures, whose greys may differ from those of the detector.",
        "accept",
    ),
    "encoding_guessed": FindingKind(
        "info",
        "Names in a guessed encoding",
        "The archive does not say how its names are written; a wrong guess makes odd class names.",
        "accept",
    ),
}


@dataclass(frozen=True)
class Pair:
    """Two pictures that are nearly the same, by index, name and correlation of their greys."""

    first: int
    second: int
    names: tuple[str, str]
    correlation: float

    def to_dict(self) -> dict[str, object]:
        """Return the pair as JSON values."""
        return {"names": list(self.names), "correlation": round(self.correlation, 4)}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a dataset.

    Attributes:
        code: a key of `FINDINGS`.
        count: pictures, pairs, patients, classes, rows or files, as the kind says.
        names: the first few, in the caller's words: masked paths, or names of classes.
        indices: the pictures that the kind's action would be done to, in order.
        pairs: all near-duplicates, for the two kinds that have them.
    """

    code: str
    count: int
    names: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    pairs: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        if self.code not in FINDINGS:
            raise ValueError(f"There is no finding {self.code!r}")
        object.__setattr__(self, "names", tuple(self.names[:NAMES_SHOWN]))

    @property
    def kind(self) -> FindingKind:
        """What the finding means."""
        return FINDINGS[self.code]

    @property
    def severity(self) -> Severity:
        """How much the finding matters."""
        return self.kind.severity

    def to_dict(self) -> dict[str, object]:
        """Return the finding as JSON values, with the first few names and pairs."""
        values: dict[str, object] = {
            "code": self.code,
            "severity": self.kind.severity,
            "count": self.count,
            "title": self.kind.title,
            "names": list(self.names),
            "meaning": self.kind.meaning,
            "action": self.kind.action,
        }
        if self.pairs:
            values["pairs"] = [pair.to_dict() for pair in self.pairs[:NAMES_SHOWN]]
        return values


def find_pictures(code: str, indices: Sequence[int], names: Sequence[str]) -> list[Finding]:
    """Return the finding of some pictures of a set, or nothing where there are none."""
    if not indices:
        return []
    shown = tuple(names[image] for image in indices[:NAMES_SHOWN])
    return [Finding(code, len(indices), shown, tuple(indices))]
