"""Maps the classes of a received set to the local ones.

A proposal is made from the names alone, and a name does not say how a hospital delimits a class: a
person who knows both sides confirms or changes it.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal

ClassMap = Mapping[str, str | None]
"""The own class of each received class, or None where it is left out."""

Likeness = Literal["same name", "same but for spelling", "synonym"]

_SYNONYMS: tuple[tuple[str, ...], ...] = (
    # A positive test is no pneumonia: the second group is not the first.
    ("COVID", "COVID-19", "COVID+", "COVID-19+", "COVID-19 positive", "SARS-CoV-2"),
    ("COVID pneumonia", "COVID-19 pneumonia", "SARS-CoV-2 pneumonia"),
    # "Negative" is not one of these: a test can be negative and the image full of findings.
    ("Normal", "No Finding", "No Findings", "No abnormality", "Healthy", "Normal CXR"),
    # Pneumonia by its cause: one is never taken for another, nor for pneumonia at large.
    ("Pneumonia", "Pneumonias"),
    ("Viral Pneumonia", "Pneumonia, viral", "Virus pneumonia"),
    ("Bacterial Pneumonia", "Pneumonia, bacterial", "Bacteria pneumonia"),
    ("Lung Opacity", "Lung opacities", "Pulmonary opacity", "Pulmonary opacities", "Opacity"),
    ("Tuberculosis", "TB", "TB+", "Pulmonary tuberculosis"),
    ("Pleural Effusion", "Pleural effusions", "Effusion"),
    ("Edema", "Oedema", "Pulmonary edema", "Pulmonary oedema"),
    ("Cardiomegaly", "Enlarged heart"),
    ("Atelectasis", "Atelectases"),
    ("Consolidation", "Consolidations"),
    ("Nodule", "Nodules", "Lung nodule", "Lung nodules", "Pulmonary nodule", "Pulmonary nodules"),
    ("Fibrosis", "Pulmonary fibrosis", "Lung fibrosis"),
)
"""Names that public sets of chest X-rays use for one finding."""

_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\W_]+(?=\d)")
_PUNCTUATION = re.compile(r"[\W_]+")
_NEGATIVE = re.compile(r"[-−–]\W*$")


class ClassMapError(ValueError):
    """A class map does not fit. The message says where, and which names are allowed."""


def propose_class_map(theirs: Sequence[str], ours: Sequence[str]) -> dict[str, str | None]:
    """Propose an own class for each received class, by its name.

    The same name comes first, then the same but for case, spaces and punctuation, then a synonym of
    the field. Where several own classes match equally well, none is proposed. Have a proposal
    confirmed before it is used.

    Args:
        theirs: Names of the received classes.
        ours: Names of the own classes.

    Returns:
        For each received class, in their order, the own one, or None to leave it out.
    """
    return {name: _nearest(name, ours) for name in theirs}


def likeness(one: str, other: str) -> Likeness | None:
    """Return how two class names match, or None where they do not."""
    if one == other:
        return "same name"
    key, other_key = _key(one), _key(other)
    if not key.strip("+-") or not other_key.strip("+-"):
        return None  # Names of punctuation alone have nothing left to compare.
    if key == other_key:
        return "same but for spelling"
    if any({key, other_key} <= {_key(name) for name in names} for names in _SYNONYMS):
        return "synonym"
    return None


def check_class_map(class_map: ClassMap, theirs: Sequence[str], ours: Sequence[str]) -> None:
    """Check that a map fits the classes on both sides.

    Several received classes may map to one own class; a class that maps to None is left out.

    Args:
        class_map: For each received class the own one, or None.
        theirs: Names of the received classes.
        ours: Names of the own classes.

    Raises:
        ClassMapError: When it names a class that either side does not have, omits a received
            class, or leaves every class out.
    """
    if unknown := [name for name in class_map if name not in theirs]:
        raise ClassMapError(
            f"The class map names {_listed(unknown)}, and the received set has no such class: its "
            f"classes are {_listed(theirs)}. Write them as the set does."
        )
    if strange := [own for own in class_map.values() if own is not None and own not in ours]:
        raise ClassMapError(
            f"The class map leads to {_listed(dict.fromkeys(strange))}, and there is no such class "
            f"among yours: they are {_listed(ours)}. Write them as your folders do."
        )
    if missing := [name for name in theirs if name not in class_map]:
        raise ClassMapError(
            f"The class map omits {_listed(missing)}: map each to one of "
            f"{_listed(ours)}, or to nothing, to leave it out."
        )
    if all(own is None for own in class_map.values()):
        raise ClassMapError(
            f"The class map leaves out every class of the received set ({_listed(theirs)}): map at "
            f"least one to one of {_listed(ours)}, or do without this set."
        )


def _nearest(name: str, ours: Sequence[str]) -> str | None:
    alike: dict[Likeness, list[str]] = {}
    for own in ours:
        if (kind := likeness(name, own)) is not None:
            alike.setdefault(kind, []).append(own)
    for kind in ("same name", "same but for spelling", "synonym"):
        if kind in alike:
            # A person has to choose between equally good matches.
            return alike[kind][0] if len(alike[kind]) == 1 else None
    return None


def _key(name: str) -> str:
    """Reduce a name: no case, spaces or punctuation, but with the sign of a test's result."""
    text = unicodedata.normalize("NFKC", name).casefold()
    sign = "+" if "+" in text else "-" if _NEGATIVE.search(text) else ""
    # "Stage 1.5" is not "Stage 15".
    return _PUNCTUATION.sub("", _BETWEEN_DIGITS.sub("p", text)) + sign


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(f"“{name}”" for name in names)
