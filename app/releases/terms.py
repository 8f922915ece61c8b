"""Renders ``TERMS.md``, the terms that a recipient accepts.

The templates differ in what the release may be used for; what protects patients is the same in all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.releases.duo import (
    GENERAL_RESEARCH,
    NON_COMMERCIAL_USE,
    NOT_FOR_PROFIT_AND_NON_COMMERCIAL,
    DuoCondition,
    parse_conditions,
)
from app.releases.facts import in_words
from app.releases.markdown import one_line, plain, quoted, wrapped
from iadd.bundle.format import RESEARCH_ONLY

REPORT_WITHIN_HOURS = 72
HOLD_BACK_DAYS = 90
DELETE_WITHIN_DAYS = 30


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


@dataclass(frozen=True)
class _Section:
    """A heading, numbered points in our words, and a block of the organisation's own text."""

    heading: str
    points: Sequence[str]
    block: str = ""

    def render(self, number: int) -> str:
        points = [
            wrapped(f"{number}.{count} {point}") for count, point in enumerate(self.points, start=1)
        ]
        blocks = [f"## {number}. {self.heading}", *points, *([self.block] if self.block else [])]
        return "\n\n".join(blocks)


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
    custom = custom_text.strip()
    if kind is TermsTemplate.CUSTOM and not custom:
        raise TermsError("custom terms need a text that says what the release may be used for")
    sections = [
        _about(organisation),
        _use(kind, custom),
        _conditions(default_conditions(kind, duo)),
        _further(custom) if kind is not TermsTemplate.CUSTOM else None,
        _not_a_device(),
        _no_identification(),
        _no_redistribution(),
        _report(contact),
        _withdrawal(),
        _citation(citation, organisation, title),
        _embargo(embargo),
        _as_it_is(),
        _beginning_and_end(kind),
    ]
    kept = [section for section in sections if section is not None]
    body = "\n\n".join(section.render(number) for number, section in enumerate(kept, start=1))
    title_line = wrapped(
        f"For “{plain(title)}”, a set of distilled images that {plain(organisation)} releases."
    )
    return f"""\
# Terms of use

{title_line}

**{RESEARCH_ONLY}**

In short: use it for research and never for a patient; try to identify nobody; pass nothing on;
report what you notice; delete it when it is withdrawn or your access ends; cite it. What counts are
the sections below.

{body}

Contact of the provider: {plain(contact)}
"""


def _about(organisation: str) -> _Section:
    return _Section(
        "What these terms are about",
        [
            f"*The provider* is {plain(organisation)}. *The recipient* is the organisation for "
            "which these terms were accepted. *The release* is the file that these terms belong "
            "to, every part and every copy of it, and everything that its images can be rebuilt "
            "from.",
            "The release was computed from X-rays of patients. These X-rays are not in it and stay "
            "with the provider.",
            "The provider measured what the release gives away about the patients, and reports it "
            "in `report.html` and `report.json`. A measurement is no proof. The recipient "
            "therefore treats the release with the care that it owes to confidential health data, "
            "and finds out for itself which law applies to it where it works.",
        ],
    )


def _use(kind: TermsTemplate, custom: str) -> _Section:
    heading = "What it may be used for"
    if kind is TermsTemplate.CUSTOM:
        return _Section(heading, ["In the provider's own words:"], quoted(custom))
    if kind is TermsTemplate.RESEARCH_ONLY:
        purpose = (
            "The recipient may use the release for research: to study it, to train and compare "
            "models, to develop methods, and to teach how this is done. It does not matter whether "
            "the recipient is a commercial organisation, as long as the use is research."
        )
    else:
        purpose = (
            "The recipient may use the release for non-commercial research: to study it, to train "
            "and compare models, to develop methods, and to teach how this is done. Nothing made "
            "with the release, models trained on it included, may be sold, licensed for a fee or "
            "made part of a commercial product or service."
        )
    return _Section(heading, [purpose, "Any other use needs the provider's consent in writing."])


def _conditions(conditions: Sequence[DuoCondition]) -> _Section | None:
    if not conditions:
        return None
    rows = [
        f"| {condition.term.code} | {condition.term.label} | {plain(condition.sentence)} |"
        for condition in conditions
    ]
    return _Section(
        "Conditions by the Data Use Ontology",
        ["These conditions hold as well. Where one is narrower than another section, it counts."],
        "\n".join(["| code | condition | what it asks |", "|---|---|---|", *rows]),
    )


def _further(custom: str) -> _Section | None:
    if not custom:
        return None
    return _Section(
        "Further terms of the provider", ["In the provider's own words:"], quoted(custom)
    )


def _not_a_device() -> _Section:
    return _Section(
        "Not a medical device",
        [
            "Neither the release nor a model trained on it is a medical device. Neither may be "
            "used to diagnose, to treat or to advise a patient, or to decide anything about a "
            "person.",
            "A model trained on the release may come near patients only after the validation and "
            "the approval that the law asks for, and after the provider agreed in writing.",
        ],
    )


def _no_identification() -> _Section:
    return _Section(
        "The patients stay unknown",
        [
            "The recipient does not try to find out who the patients are, whether the images of a "
            "certain person were among those that the release was computed from, or what those "
            "images looked like, and does not link the release with other data to that end.",
            "Research into privacy that has to try just that needs the provider's consent in "
            "writing before it begins.",
        ],
    )


def _no_redistribution() -> _Section:
    return _Section(
        "Nothing is passed on",
        [
            "The recipient keeps the release where only those of its people can reach it who work "
            "with it and know these terms, and answers for what they do.",
            "The recipient does not publish, sell or pass on the release, nor put it into a "
            "service of others, such as a public AI service, unless that is bound to keep it "
            "confidential. Whoever asks for the release is sent to the provider.",
            "Results may be published within the permitted use, and so may trained models, as long "
            "as no image of the release can be rebuilt from them. Single images of the release may "
            "be shown in a publication when the provider agrees in writing.",
        ],
    )


def _report(contact: str) -> _Section:
    return _Section(
        "What to report",
        [
            f"The recipient writes to {plain(contact)} without delay, and at the latest "
            f"{REPORT_WITHIN_HOURS} hours after noticing: that an image of the release may show or "
            "give away a real patient; that the release was lost, passed on or reached by somebody "
            "who should not have it; or that these terms were broken.",
            f"A suspected leak is made public at the earliest {HOLD_BACK_DAYS} days after the "
            "report, so that the provider can act first, and never in a way that shows or names a "
            "patient. Duties to tell authorities remain.",
        ],
    )


def _withdrawal() -> _Section:
    return _Section(
        "Withdrawal and deletion",
        [
            "The provider may withdraw the release or end the recipient's access at any time, for "
            "example because a patient withdrew consent, and says so through the portal or in "
            "writing.",
            "The recipient then stops using the release, deletes every copy within "
            f"{DELETE_WITHIN_DAYS} days, copies in backups as soon as these are renewed, and "
            "confirms it in writing. The same holds when access expires.",
            "After a withdrawal the recipient also tells the provider which models were trained on "
            "the release. These are neither developed further nor passed on unless the provider "
            "agrees. What was published before may stay published.",
        ],
    )


def _citation(citation: str, organisation: str, title: str) -> _Section:
    said = plain(citation) or f"{plain(organisation)}: {plain(title)}. Distilled images."
    return _Section(
        "Citation",
        ["Publications that rest on the release say that its images are distilled, and cite it:"],
        f"> {said}",
    )


def _embargo(embargo: datetime | None) -> _Section | None:
    if embargo is None:
        return None
    return _Section(
        "Embargo",
        [
            f"Before {in_words(embargo)} the provider hands the release out to nobody but those "
            "whom it names. Who has it earlier publishes nothing about it before then."
        ],
    )


def _as_it_is() -> _Section:
    return _Section(
        "What the provider answers for",
        [
            "The release comes as it is. As far as the law allows, the provider does not answer "
            "for it being complete, right or fit for a purpose, or for what its use leads to.",
            "These terms transfer no rights other than the permission to use the release as they "
            "say.",
        ],
    )


def _beginning_and_end(kind: TermsTemplate) -> _Section:
    own = (
        " Where the provider's own words above differ from another section, they count; but they "
        "loosen neither “Not a medical device” nor “The patients stay unknown”."
    )
    return _Section(
        "Beginning and end",
        [
            "These terms hold from the day on which somebody accepts them for the recipient, by "
            "name, on the portal or in writing. They end when the provider ends the access, when "
            "it expires, or when they are broken. What they say of patients, passing on, reporting "
            "and deletion goes on after that.",
            "A written agreement between provider and recipient goes before these terms, and "
            "settles what they leave open, such as law and court."
            + (own if kind is TermsTemplate.CUSTOM else ""),
        ],
    )


def _template(name: str) -> TermsTemplate:
    try:
        return TermsTemplate(name)
    except ValueError:
        known = ", ".join(TermsTemplate)
        raise TermsError(f"there is no such template; there are: {known}") from None
