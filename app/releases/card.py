"""Renders the ``README.md`` of a release."""

from collections.abc import Mapping
from typing import Any

from app.releases.duo import parse_conditions
from app.releases.facts import VERDICTS, ReleaseFacts, how_it_began, in_words
from app.releases.markdown import plain, quoted, wrapped
from iadd.bundle.format import RESEARCH_ONLY

_UNSIGNED_CHECK = "    exchange verify bundle.zip\n\n"


def render_release_card(facts: ReleaseFacts, metadata: Mapping[str, Any], technical: str) -> str:
    """Write the card.

    Args:
        facts: Facts of the release.
        metadata: As ``metadata.json`` of the bundle holds it.
        technical: The card that the distillation wrote, with its title; it comes last.
    """
    organisation = plain(facts.organisation)
    parts = [
        f"# {plain(facts.title)}",
        f"**{RESEARCH_ONLY}**",
        wrapped(plain(facts.summary)),
        _table(facts),
        *(["## What the data steward says", quoted(facts.card)] if facts.card.strip() else []),
        "## What you may do with it",
        wrapped(
            f"What you may do with these images, and what you owe to {organisation} and to the "
            "patients, is in `TERMS.md`: the text that was accepted before you got this file. "
            "Conditions in the words of the Data Use Ontology:"
        ),
        _conditions(facts),
        "## Check that it is genuine",
        wrapped(
            f"The file is signed. Ask {organisation} for its public key, by another way than the "
            "one on which this file came – a key in here would prove nothing – and give it to:"
        ),
        "    exchange verify bundle.zip --trusted-key KEY",
        wrapped(
            "The command needs no network, and ends with 0 when every byte is as it was signed by "
            "the owner of that key, or of one that it named as its successor; with 1 when the file "
            "is damaged or forged; with 2 when it cannot be read. It comes with "
            "`pip install iadd-exchange`. How to load the images and train with them is said "
            "below, under “How to use it”."
        ),
        "## What it is",
        how_it_began(metadata),
        _body(technical),
        "## What the release adds",
        "| file | |\n|---|---|\n"
        "| `TERMS.md` | the terms of use |\n"
        "| `croissant.json` | this page for machines: Croissant, with Data Use Ontology |\n"
        "| `SIGNATURE` | who released it, which key signed it, and the keys before it |",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(facts: ReleaseFacts) -> str:
    rows = {
        "release": f"{facts.number} ({plain(facts.id)})",
        "released by": plain(facts.organisation),
        "on": in_words(facts.created_at),
        "not before": in_words(facts.embargo_until) if facts.embargo_until else "",
        "privacy audit": plain(VERDICTS.get(facts.verdict, facts.verdict)),
        "contact": plain(facts.contact),
        "cite as": plain(facts.citation),
        "page": plain(facts.url or ""),
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items() if value]
    return "\n".join(["| | |", "|---|---|", *lines])


def _conditions(facts: ReleaseFacts) -> str:
    lines = [
        wrapped(f"{condition.term.code} ({condition.term.label}): {plain(condition.sentence)}")
        for condition in parse_conditions(facts.duo)
    ]
    if not lines:
        return "None but those of `TERMS.md`."
    return "\n".join("- " + line.replace("\n", "\n  ") for line in lines)


def _body(technical: str) -> str:
    """The distillation's card without its title and without the check that needs no key."""
    _, _, body = technical.partition("\n")
    return body.replace(_UNSIGNED_CHECK, "").strip()
