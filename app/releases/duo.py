"""Conditions of use in terms of the Data Use Ontology (DUO), which machines can compare.

Codes, short names and labels are those of the GA4GH Data Use Ontology, CC BY 4.0
(http://purl.obolibrary.org/obo/duo.owl); what each means here is said in our words. Left out are
the ones that contradict every release: no restriction, clinical care.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

GENERAL_RESEARCH = "DUO:0000042"
NON_COMMERCIAL_USE = "DUO:0000046"
NOT_FOR_PROFIT_AND_NON_COMMERCIAL = "DUO:0000018"

_CODE = re.compile(r"DUO:\d{7}", re.ASCII)
_LONGEST_DETAIL = 200


class DuoError(ValueError):
    """A release cannot have this condition. The message says why."""


@dataclass(frozen=True)
class DuoTerm:
    """One term of the ontology.

    Attributes:
        code: Such as ``DUO:0000042``.
        shorthand: Such as ``GRU``.
        label: Such as ``general research use``.
        meaning: Duty of the recipient.
        detail: Detail that has to be given, such as ``disease``; None where none is.
        is_permission: True for a permitted use; False for a restriction of it.
    """

    code: str
    shorthand: str
    label: str
    meaning: str
    detail: str | None = None
    is_permission: bool = False

    @property
    def url(self) -> str:
        """The term's address in the ontology."""
        return f"http://purl.obolibrary.org/obo/{self.code.replace(':', '_')}"


KNOWN = {
    term.code: term
    for term in (
        DuoTerm(
            GENERAL_RESEARCH,
            "GRU",
            "general research use",
            "For research of any kind.",
            is_permission=True,
        ),
        DuoTerm(
            "DUO:0000006",
            "HMB",
            "health or medical or biomedical research",
            "For research into health and medicine; not into the origins or ancestry of people.",
            is_permission=True,
        ),
        DuoTerm(
            "DUO:0000007",
            "DS",
            "disease specific research",
            "For research into this disease",
            detail="disease",
            is_permission=True,
        ),
        DuoTerm(
            NON_COMMERCIAL_USE,
            "NCU",
            "non-commercial use only",
            "Not for commercial purposes, by whatever organisation.",
        ),
        DuoTerm(
            "DUO:0000045",
            "NPU",
            "not for profit organisation use only",
            "Only not-for-profit organisations may use it.",
        ),
        DuoTerm(
            NOT_FOR_PROFIT_AND_NON_COMMERCIAL,
            "NPUNCU",
            "not for profit, non commercial use only",
            "Only not-for-profit organisations may use it, and not for commercial purposes.",
        ),
        DuoTerm(
            "DUO:0000012",
            "RS",
            "research specific restrictions",
            "Only for studies of this type",
            detail="type of research",
        ),
        DuoTerm(
            "DUO:0000015",
            "NMDS",
            "no general methods research",
            "Not for the development of methods, such as software or algorithms, alone.",
        ),
        DuoTerm(
            "DUO:0000044",
            "NPOA",
            "population origins or ancestry research prohibited",
            "Not for research into the origins or ancestry of people.",
        ),
        DuoTerm(
            "DUO:0000019",
            "PUB",
            "publication required",
            "The recipient makes the results of its studies available to other researchers.",
        ),
        DuoTerm(
            "DUO:0000020",
            "COL",
            "collaboration required",
            "The recipient works together with the provider's investigators.",
        ),
        DuoTerm(
            "DUO:0000021",
            "IRB",
            "ethics approval required",
            "The recipient shows the approval of its own ethics committee or review board.",
        ),
        DuoTerm(
            "DUO:0000022",
            "GS",
            "geographical restriction",
            "Only within this region",
            detail="region",
        ),
        DuoTerm(
            "DUO:0000024",
            "MOR",
            "publication moratorium",
            "The recipient publishes no results before this date",
            detail="date",
        ),
        DuoTerm(
            "DUO:0000025",
            "TS",
            "time limit on use",
            "The use ends after this many months",
            detail="number of months",
        ),
        DuoTerm(
            "DUO:0000026",
            "US",
            "user specific restriction",
            "Only the persons whom the provider approved may use it.",
        ),
        DuoTerm(
            "DUO:0000027",
            "PS",
            "project specific restriction",
            "Only within the project that the provider approved.",
        ),
        DuoTerm(
            "DUO:0000028",
            "IS",
            "institution specific restriction",
            "Only within the institution that the provider approved.",
        ),
        DuoTerm(
            "DUO:0000029",
            "RTN",
            "return to database or resource",
            "The recipient returns to the provider what it derives from the release.",
        ),
    )
}
"""All terms that a release may have, by code."""


@dataclass(frozen=True)
class DuoCondition:
    """A term, and what it leaves open.

    Attributes:
        term: The term.
        detail: Such as the disease; empty where the term leaves nothing open, or it is not said.
    """

    term: DuoTerm
    detail: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a code with or without a detail: ``DUO:0000007 tuberculosis``.

        Raises:
            DuoError: When there is no such code among `KNOWN`, or the detail is not one line.
        """
        code, _, detail = text.strip().partition(" ")
        term = KNOWN.get(code) if _CODE.fullmatch(code) else None
        if term is None:
            raise DuoError(f"a release cannot have the condition {text.strip()[:40]!r}")
        detail = detail.strip()
        if not detail.isprintable() or len(detail) > _LONGEST_DETAIL:
            raise DuoError(
                f"what {code} is narrowed by must be one line of at most {_LONGEST_DETAIL} "
                "characters"
            )
        if detail and term.detail is None:
            raise DuoError(f"{code} ({term.label}) takes no detail")
        return cls(term, detail)

    def __str__(self) -> str:
        return f"{self.term.code} {self.detail}".strip()

    @property
    def sentence(self) -> str:
        """The condition as a sentence for the recipient."""
        if self.term.detail is None:
            return self.term.meaning
        said = self.detail or f"the {self.term.detail} that the provider states in writing"
        return f"{self.term.meaning}: {said}."


def parse_conditions(codes: Iterable[str]) -> tuple[DuoCondition, ...]:
    """Read conditions, in the order of `KNOWN`, each once.

    Raises:
        DuoError: When one is none, or two say different things of the same term.
    """
    conditions = {DuoCondition.parse(code) for code in codes}
    found = {condition.term.code: condition for condition in conditions}
    if len(found) < len(conditions):
        raise DuoError("a condition is there twice with different details")
    return tuple(found[code] for code in KNOWN if code in found)
