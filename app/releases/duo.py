"""Conditions of use in terms of the Data Use Ontology (DUO), which machines can compare.

Codes, short names and labels are those of the GA4GH Data Use Ontology, CC BY 4.0
(http://purl.obolibrary.org/obo/duo.owl); what each means here is said in our words. Left out are
the ones that contradict every release: no restriction, clinical care.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
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


_VOCABULARY = json.loads((files("app.releases") / "duo.json").read_bytes())
KNOWN = {row["code"]: DuoTerm(**row) for row in _VOCABULARY}
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
