"""Facts that a release publishes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

VERDICTS = {
    "refuted": "Refuted: an attack worked, or a copy of a training image was found.",
    "inconclusive": (
        "Inconclusive: no attack that was tried worked, but too little was measured to exclude a "
        "leak above the limit."
    ),
    "not_refuted": (
        "Not refuted: no attack that was tried worked. That is a measurement and no proof: what "
        "was not tried may still work."
    ),
    "proven": (
        "Proven: differential privacy bounds what can be learned about one image or patient; the "
        "report says by how much."
    ),
}
"""Meaning of each verdict, for people."""

_BEGINNINGS = {
    "real": "Each image began as one real X-ray and was changed from there.",
    "k_mean": (
        "Each image began as the mean of several X-rays of its class. Whoever holds candidate "
        "X-rays can find those that were averaged: such a set shows who is in it."
    ),
    "noise": "Each image began as noise.",
    "dp_mean": (
        "Each image began as the mean of its class with added noise, under differential privacy."
    ),
    "public": "Each image began as generated chests, which show no patient.",
}


@dataclass(frozen=True, kw_only=True)
class OverrideFacts:
    """What two people waived for a release that the policy did not allow.

    Attributes:
        reason: Why, in their words.
        objections: What the policy said, one sentence or two each.
        decided_at: When the second person approved it.
    """

    reason: str
    objections: tuple[str, ...]
    decided_at: datetime


@dataclass(frozen=True, kw_only=True)
class ReleaseFacts:
    """A release as it is published; it never changes.

    Texts may hold anything that people type. What is made of them stays one document.

    Attributes:
        id: Id of the release, such as ``rel_0123456789abcdef01234567``.
        number: Counts the releases of one distillation, from 1.
        title: One line.
        summary: A few sentences.
        card: The data steward's description of the images, in Markdown; may be empty.
        terms: The text of ``TERMS.md``, as recipients accept it (see `app.releases.terms`).
        duo: Conditions of use, such as ``DUO:0000042`` or ``DUO:0000007 tuberculosis``.
        organisation: Name of the organisation that releases it.
        contact: Whom to write to, as the organisation wants to be reached.
        citation: The text to cite; may be empty.
        embargo_until: Nobody else gets it before, or None.
        created_at: When it was released.
        verdict: Verdict of its audit: ``inconclusive``, ``not_refuted`` or ``proven``.
        url: Its page on the portal, where that has an address that others reach.
        override: What two people waived, or None where the policy allowed it.
        epsilon: Of a proven set, ε that all runs on its dataset had spent when it was released.
    """

    id: str
    number: int
    title: str
    summary: str
    card: str
    terms: str
    duo: tuple[str, ...]
    organisation: str
    contact: str
    citation: str
    embargo_until: datetime | None
    created_at: datetime
    verdict: str
    url: str | None = None
    override: OverrideFacts | None = None
    epsilon: float | None = None


def how_it_began(metadata: Mapping[str, Any]) -> str:
    """The initialisation in words; empty where ``metadata.json`` has none."""
    match metadata.get("config"):
        case {"distillation": {"initialisation": str(name)}}:
            return _BEGINNINGS.get(name, "")
    return ""


def in_words(moment: datetime) -> str:
    """A time for people, such as ``2027-01-01, 00:00 UTC``.

    Raises:
        ValueError: When it has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone could be any")
    return f"{moment.astimezone(UTC):%Y-%m-%d, %H:%M} UTC"
