"""Renders the ``README.md`` of a release."""

from collections.abc import Mapping
from typing import Any

from app.releases.certificate import override_in_words
from app.releases.duo import parse_conditions
from app.releases.facts import VERDICTS, ReleaseFacts, how_it_began, in_words
from app.releases.markdown import plain
from app.releases.templating import render

_UNSIGNED_CHECK = "    exchange verify bundle.zip\n\n"


def render_release_card(facts: ReleaseFacts, metadata: Mapping[str, Any], technical: str) -> str:
    """Write the card.

    Args:
        facts: Facts of the release.
        metadata: As ``metadata.json`` of the bundle holds it.
        technical: The card that the distillation wrote, with its title; it comes last.
    """
    return render(
        "README.md",
        facts=facts,
        rows=_rows(facts),
        conditions=parse_conditions(facts.duo),
        how_it_began=how_it_began(metadata),
        technical=_body(technical),
    )


def _rows(facts: ReleaseFacts) -> dict[str, str]:
    return {
        "release": f"{facts.number} ({plain(facts.id)})",
        "released by": plain(facts.organisation),
        "on": in_words(facts.created_at),
        "not before": in_words(facts.embargo_until) if facts.embargo_until else "",
        "privacy audit": plain(VERDICTS.get(facts.verdict, facts.verdict)),
        "privacy spent": ""
        if facts.epsilon is None
        else f"ε = {facts.epsilon:.3g} by all runs on its dataset together, when it was released",
        "override": "" if facts.override is None else plain(override_in_words(facts.override)),
        "contact": plain(facts.contact),
        "cite as": plain(facts.citation),
        "page": plain(facts.url or ""),
    }


def _body(technical: str) -> str:
    """The distillation's card without its title and without the check that needs no key."""
    _, _, body = technical.partition("\n")
    return body.replace(_UNSIGNED_CHECK, "").strip()
