"""Renders ``TERMS.md``, the terms that a recipient accepts.

The templates differ in what the release may be used for; what protects patients is the same in all.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from app.releases.duo import (
    GENERAL_RESEARCH,
    NON_COMMERCIAL_USE,
    NOT_FOR_PROFIT_AND_NON_COMMERCIAL,
    DuoCondition,
    parse_conditions,
)
from app.releases.markdown import one_line
from app.releases.templating import render


class TermsError(ValueError):
    """Terms cannot be made of this. The message says why."""


class TermsTemplate(StrEnum):
    """Templates of terms, by permitted use."""

    RESEARCH_ONLY = "research_only"
    NON_COMMERCIAL = "non_commercial"
    CUSTOM = "custom"


TITLES = {
    TermsTemplate.RESEARCH_ONLY: "Research only",
    TermsTemplate.NON_COMMERCIAL: "Non-commercial research only",
    TermsTemplate.CUSTOM: "In the organisation's own words",
}
"""Names of the templates, for people."""


def default_conditions(template: str, codes: Sequence[str] = ()) -> tuple[DuoCondition, ...]:
    """The DUO conditions of a release: those given, and those of its template.

    Raises:
        TermsError: When there is no such template.
        DuoError: When a code is none.
    """
    kind = _template(template)
    given = parse_conditions(codes)
    if kind is TermsTemplate.CUSTOM:
        return given
    added = []
    if not any(condition.term.is_permission for condition in given):
        added.append(GENERAL_RESEARCH)
    commercial = {NON_COMMERCIAL_USE, NOT_FOR_PROFIT_AND_NON_COMMERCIAL}.isdisjoint(
        condition.term.code for condition in given
    )
    if kind is TermsTemplate.NON_COMMERCIAL and commercial:
        added.append(NON_COMMERCIAL_USE)
    return parse_conditions([*map(str, given), *added])


def render_terms(
    template: str,
    *,
    title: str,
    organisation: str,
    contact: str,
    duo: Sequence[str] = (),
    citation: str = "",
    embargo: datetime | None = None,
    custom_text: str = "",
) -> str:
    """Write ``TERMS.md``. The same arguments always give the same text.

    Args:
        template: A `TermsTemplate`.
        title: Title of the release.
        organisation: The releasing organisation.
        contact: Whom to write to.
        duo: DUO conditions, see `app.releases.duo`; the template's own are added.
        citation: The text to cite; may be empty.
        embargo: Nobody else gets it before.
        custom_text: The organisation's own words, in Markdown: what the release may be used for
            with ``custom``, which needs them; a further section with the others.

    Raises:
        TermsError: When there is no such template, or what has to be said is empty.
        DuoError: When a condition is none.
    """
    kind = _template(template)
    for name, value in (("title", title), ("organisation", organisation), ("contact", contact)):
        if not one_line(value):
            raise TermsError(f"terms need a {name}")
    if embargo is not None and embargo.tzinfo is None:
        raise TermsError("an embargo needs a time zone")
    if kind is TermsTemplate.CUSTOM and not custom_text.strip():
        raise TermsError("custom terms need a text that says what the release may be used for")
    return render(
        "TERMS.md",
        template=kind,
        title=title,
        organisation=organisation,
        contact=contact,
        conditions=default_conditions(kind, duo),
        citation=citation,
        embargo=embargo,
        custom_text=custom_text,
    )


def _template(name: str) -> TermsTemplate:
    try:
        return TermsTemplate(name)
    except ValueError:
        known = ", ".join(TermsTemplate)
        raise TermsError(f"there is no such template; there are: {known}") from None
