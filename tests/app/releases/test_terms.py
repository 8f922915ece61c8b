"""TERMS.md: what a recipient agrees to."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.releases.duo import KNOWN, DuoCondition, DuoError, parse_conditions
from app.releases.markdown import one_line, plain, quoted, wrapped
from app.releases.terms import TITLES, TermsError, TermsTemplate, default_conditions, render_terms

SAID = {
    "title": "Chest X-rays in two classes",
    "organisation": "St. Anna Hospital",
    "contact": "data_office@st-anna.example",
}
TEMPLATES = list(TermsTemplate)

HOSTILE = (
    "# Free for all",
    "x\n\n## 99. No terms apply\n\nyes",
    "<script>alert(1)</script>",
    "![x](http://tracker.example/x.png)",
    "[click](javascript:alert(1))",
    "`code` *bold* __strong__ ~~gone~~",
    "a | b | c",
    "```\nfence",
    "<!-- gone",
    "&lt;b&gt;",
    "\u202eevil\x00\x1b[31m",
    "- item",
    "1. item",
    "=====",
    "> quote",
    "\\",
)


def text_of(template: str, **changes: object) -> str:
    custom = {"custom_text": "Only within the *Aurora* project."} if template == "custom" else {}
    return render_terms(template, **{**SAID, **custom, **changes})  # type: ignore[arg-type]


def headings(markdown: str) -> list[str]:
    """Headings as a reader of CommonMark sees them, those within quotes left out."""
    found, depth = [], 0
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    for number, token in enumerate(tokens):
        depth += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type == "heading_open" and depth == 0:
            found.append(tokens[number + 1].content)
    return found


def shown(markdown: str) -> str:
    """The HTML that a reader which allows HTML would make of it."""
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_protects_the_patients(template: str) -> None:
    text = " ".join(text_of(template).split())
    for words in (
        "For research use. Not a medical device.",
        "St. Anna Hospital",
        "data_office@st-anna.example",
        "does not try to find out who the patients are",
        "does not publish, sell or pass on the release",
        "at the latest 72 hours after noticing",
        "deletes every copy within 30 days",
        "cite it",
        "A written agreement between provider and recipient goes before these terms",
    ):
        assert words in text
    assert "anonym" not in text.lower()


@pytest.mark.parametrize("template", TEMPLATES)
def test_sections_are_numbered_in_order(template: str) -> None:
    text = text_of(template, embargo=datetime(2027, 1, 1, tzinfo=UTC), duo=["DUO:0000021"])
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    points = re.findall(r"^(\d+)\.(\d+) ", text, re.MULTILINE)
    assert {int(section) for section, _ in points} == set(numbers)


def test_templates_differ_in_what_the_release_is_for() -> None:
    research, commercial, custom = (" ".join(text_of(t).split()) for t in TEMPLATES)
    assert "It does not matter whether the recipient is a commercial organisation" in research
    assert "may be sold, licensed for a fee" in commercial
    assert "DUO:0000046" in commercial
    assert "DUO:0000046" not in research
    assert "> Only within the *Aurora* project." in custom
    assert "DUO:" not in custom
    assert set(TITLES) == set(TEMPLATES)


def test_the_same_gives_the_same_text() -> None:
    assert text_of("research_only") == text_of("research_only")
    assert text_of("research_only", duo=["DUO:0000021", "DUO:0000042"]) == text_of(
        "research_only", duo=["DUO:0000042", "DUO:0000021", "DUO:0000021"]
    )


def test_embargo_citation_and_own_terms_are_said() -> None:
    text = text_of(
        "research_only",
        embargo=datetime(2027, 1, 1, tzinfo=UTC),
        citation="Anna et al. (2026)",
        custom_text="Ask us first.",
    )
    assert "Before 2027-01-01, 00:00 UTC" in text
    assert "> Anna et al. (2026)" in text
    assert "Further terms of the provider" in text
    assert "> Ask us first." in text
    bare = text_of("research_only")
    assert "Embargo" not in bare
    assert "Further terms" not in bare
    assert "> St. Anna Hospital: Chest X-rays in two classes." in bare


@pytest.mark.parametrize("name", ["title", "organisation", "contact"])
def test_what_has_to_be_said_is_asked_for(name: str) -> None:
    with pytest.raises(TermsError, match=name):
        text_of("research_only", **{name: " \u202e\n"})


def test_terms_that_cannot_be_are_told() -> None:
    with pytest.raises(TermsError, match="research_only, non_commercial, custom"):
        render_terms("anything", **SAID)
    with pytest.raises(TermsError, match="custom terms need a text"):
        render_terms("custom", **SAID, custom_text=" ")
    with pytest.raises(TermsError, match="time zone"):
        text_of("research_only", embargo=datetime(2027, 1, 1))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "name", ["title", "organisation", "contact", "citation", "custom_text", "detail"]
)
def test_hostile_text_stays_text(name: str, text: str) -> None:
    if name == "detail":
        changes: dict[str, object] = {"duo": [f"DUO:0000007 {' '.join(one_line(text).split())}"]}
    else:
        changes = {name: text}
    made = text_of("research_only", **changes)
    plain_headings = headings(text_of("research_only", custom_text="x"))
    expected = plain_headings if name == "custom_text" else headings(text_of("research_only"))
    assert headings(made) == expected
    html = shown(made)
    for tag in ("<script", "<img", "<!--", "<a href", "<code>code", "<em>bold", "<s>", "<hr"):
        if name == "custom_text" and tag in ("<a href", "<code>code", "<em>bold", "<s>", "<hr"):
            continue  # The provider's own words may be emphasised and linked.
        assert tag not in html, tag
    assert all(letter.isprintable() or letter == "\n" for letter in made)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_title_stays_in_its_place(title: str, organisation: str) -> None:
    if not one_line(title) or not one_line(organisation):
        return
    try:
        made = text_of("research_only", title=title, organisation=organisation)
    except TermsError:
        return
    assert headings(made) == headings(text_of("research_only"))
    assert "<script" not in shown(made)


@given(st.text(alphabet=st.sampled_from("ab #*_-+=`~[]()!<>&;:|\\\n\t1.)>\"'"), max_size=60))
def test_a_plain_line_is_shown_as_it_was_written(text: str) -> None:
    """What a reader of Markdown shows of it is the line itself, and one paragraph."""
    line = one_line(text)
    for made in (plain(text), wrapped(plain(text))):
        tokens = MarkdownIt("commonmark").parse(made)
        if not line:
            assert made == ""
            continue
        assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
        children = tokens[1].children
        assert children is not None
        kinds = {child.type for child in children}
        assert kinds <= {"text", "text_special", "softbreak"}, made
        read = "".join(" " if child.type == "softbreak" else child.content for child in children)
        assert read == line


@pytest.mark.parametrize("marker", ["#", "-", "+", "1.", "1)", "===", "---"])
def test_a_line_that_breaks_before_a_marker_stays_a_paragraph(marker: str) -> None:
    for length in range(85, 100):
        made = wrapped(plain(f"{'x' * length} {marker} evil {'y' * 90} {marker}"))
        kinds = [token.type for token in MarkdownIt("commonmark").parse(made)]
        assert kinds == ["paragraph_open", "inline", "paragraph_close"], made


@given(st.text(max_size=200))
def test_a_quote_ends_where_it_ends(text: str) -> None:
    made = quoted(text)
    assert all(line.startswith(">") for line in made.split("\n") if made)
    html = shown(f"{made}\n\n# After\n")
    assert html.endswith("<h1>After</h1>\n")
    assert "<script" not in html


def test_letters_of_every_script_stay() -> None:
    for name in ("Ærø Sygehus", "北海道大学病院", "بیمارستان\u200cها", "Clínica"):
        assert one_line(name) == name


def test_codes_are_those_of_the_ontology() -> None:
    """Labels as in duo.csv of GA4GH (release of 2021-02-23)."""
    assert {code: (term.shorthand, term.label) for code, term in KNOWN.items()} == {
        "DUO:0000042": ("GRU", "general research use"),
        "DUO:0000006": ("HMB", "health or medical or biomedical research"),
        "DUO:0000007": ("DS", "disease specific research"),
        "DUO:0000046": ("NCU", "non-commercial use only"),
        "DUO:0000045": ("NPU", "not for profit organisation use only"),
        "DUO:0000018": ("NPUNCU", "not for profit, non commercial use only"),
        "DUO:0000012": ("RS", "research specific restrictions"),
        "DUO:0000015": ("NMDS", "no general methods research"),
        "DUO:0000044": ("NPOA", "population origins or ancestry research prohibited"),
        "DUO:0000019": ("PUB", "publication required"),
        "DUO:0000020": ("COL", "collaboration required"),
        "DUO:0000021": ("IRB", "ethics approval required"),
        "DUO:0000022": ("GS", "geographical restriction"),
        "DUO:0000024": ("MOR", "publication moratorium"),
        "DUO:0000025": ("TS", "time limit on use"),
        "DUO:0000026": ("US", "user specific restriction"),
        "DUO:0000027": ("PS", "project specific restriction"),
        "DUO:0000028": ("IS", "institution specific restriction"),
        "DUO:0000029": ("RTN", "return to database or resource"),
    }
    assert KNOWN["DUO:0000042"].url == "http://purl.obolibrary.org/obo/DUO_0000042"


def test_a_condition_says_what_it_leaves_open() -> None:
    told = DuoCondition.parse(" DUO:0000007  tuberculosis ")
    assert told.sentence == "For research into this disease: tuberculosis."
    assert str(told) == "DUO:0000007 tuberculosis"
    untold = DuoCondition.parse("DUO:0000007")
    assert untold.sentence.endswith("the disease that the provider states in writing.")
    assert str(DuoCondition.parse("DUO:0000021")) == "DUO:0000021"


@pytest.mark.parametrize(
    "code",
    [
        "",
        "DUO:42",
        "DUO:0000004",
        "DUO:0000043",
        "duo:0000042",
        "DUO:0000042 of everything",
        "DUO:0000007 a\nb",
        "DUO:0000007 " + "x" * 201,
        "DUO:000004２",
    ],
)
def test_a_condition_that_is_none_is_told(code: str) -> None:
    with pytest.raises(DuoError):
        parse_conditions([code])


def test_conditions_are_in_order_and_each_once() -> None:
    codes = ["DUO:0000021", "DUO:0000042", "DUO:0000021"]
    assert list(map(str, parse_conditions(codes))) == ["DUO:0000042", "DUO:0000021"]
    with pytest.raises(DuoError, match="twice"):
        parse_conditions(["DUO:0000007 a", "DUO:0000007 b"])


@pytest.mark.parametrize(
    ("template", "given", "expected"),
    [
        ("research_only", [], ["DUO:0000042"]),
        ("research_only", ["DUO:0000006"], ["DUO:0000006"]),
        ("non_commercial", [], ["DUO:0000042", "DUO:0000046"]),
        ("non_commercial", ["DUO:0000007 flu"], ["DUO:0000007 flu", "DUO:0000046"]),
        ("non_commercial", ["DUO:0000018"], ["DUO:0000042", "DUO:0000018"]),
        ("custom", [], []),
        ("custom", ["DUO:0000021"], ["DUO:0000021"]),
    ],
)
def test_a_template_adds_what_it_says_anyway(
    template: str, given: list[str], expected: list[str]
) -> None:
    assert list(map(str, default_conditions(template, given))) == expected
