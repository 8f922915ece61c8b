"""The page stands alone, can be lifted into another, and is legible to everybody."""

import base64
import hashlib
import itertools
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.worker.reports.read_formats import Page
from worker.reports import ReportSource, compose, render_html, report_json
from worker.reports.blocks import Report
from worker.reports.sections.images import MOST, MOST_PER_CLASS
from worker.reports.sections.utility import RECIPIENTS

HOSTILE = "<script>alert('x')</script>&\"'"


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render_html(report).decode()


def test_page_stands_alone(page: str) -> None:
    elements = Page(page).elements
    tags = {tag for tag, _ in elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    for tag, attributes in elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "action"):
                assert (value or "").startswith(("data:image/webp;base64,", "#")), (tag, value)
    assert "@import" not in page
    assert re.findall(r"https?://[^\s\"'<]+", page) == []
    assert re.search(r"url\((?!#)", page) is None


def test_no_element_has_a_style_of_its_own(page: str) -> None:
    for tag, attributes in Page(page).elements:
        assert "style" not in attributes, tag


def test_its_policy_lets_its_two_style_sheets_in_and_no_other(page: str) -> None:
    parsed = Page(page)
    policy = next(
        attributes["content"]
        for tag, attributes in parsed.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    hashes = [
        base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        for style in parsed.styles
    ]
    assert allowed == hashes
    assert len(hashes) == 2


def test_the_first_style_sheet_speaks_of_the_report_alone(page: str) -> None:
    parsed = Page(page)
    sheets = [attributes for tag, attributes in parsed.elements if tag == "style"]
    assert sheets == [{}, {"id": "page"}]
    rules = re.sub(r"/\*.*?\*/", "", parsed.styles[0], flags=re.DOTALL)
    selectors = re.findall(r"([^{}]+)\{", rules)
    assert len(selectors) > 50
    for selector in selectors:
        if not selector.strip().startswith("@media"):
            parts = re.split(r",(?![^(]*\))", selector)
            assert all(part.strip().startswith(".report") for part in parts), selector


def test_ids_are_its_own_and_every_reference_has_its_target(page: str) -> None:
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert all(name.startswith("report-") for name in identifiers if name != "page")
    for target in re.findall(r'(?:href="#|url\(#|labelledby=")([^")]+)', page):
        assert target in identifiers


def test_headings_go_down_step_by_step(page: str) -> None:
    elements = Page(page).elements
    assert [tag for tag, _ in elements].count("main") == 1
    levels = [int(tag[1]) for tag, _ in elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))


def test_the_first_link_skips_to_the_report(page: str) -> None:
    links = [attributes for tag, attributes in Page(page).elements if tag == "a"]
    assert links[0]["href"] == "#report-main"


def test_every_plot_has_words_and_a_table(page: str, document: dict[str, Any]) -> None:
    figures = re.findall(r"<figure.*?</figure>", page, flags=re.DOTALL)
    # Two figures with intervals, a curve for each class, and loss, validation, α, W, its spread,
    # and both layer by layer.
    assert len(figures) == 2 + len(document["dataset"]["classes"]) + 6
    for figure in figures:
        elements = Page(figure).elements
        drawing = next(attributes for tag, attributes in elements if tag == "svg")
        assert drawing["role"] == "img"
        assert len(drawing["aria-label"] or "") > 20
        tags = [tag for tag, _ in elements]
        assert tags.index("figcaption") < tags.index("details") < tags.index("table")
        assert tags.count("tr") >= 3
    assert page.count("<svg") == len(figures)


def test_plots_take_their_colours_from_the_page(page: str) -> None:
    for drawing in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        assert "var(--report-ink)" in drawing or "var(--report-muted)" in drawing
        assert re.findall(r"#[0-9a-f]{6}", drawing) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(page: str, scheme: str) -> None:
    sheet, outer = Page(page).styles
    if scheme == "dark":
        sheet, outer = (s[s.index("prefers-color-scheme: dark") :] for s in (sheet, outer))
    sheet = sheet[: sheet.index("}")]
    colours = dict(re.findall(r"--report-([\w-]+): (#[0-9a-f]{3,6});", sheet))
    found = re.search(r"background: (#[0-9a-f]{3,6})", outer)
    assert found is not None
    for ground in (found[1], colours["card"]):
        for name in ("ink", "muted", "accent", "good", "bad", "warn"):
            assert contrast(colours[name], ground) >= 4.5, (name, ground)
        for name in ("series-1", "series-2", "series-3"):
            assert contrast(colours[name], ground) >= 3, (name, ground)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: of the lighter to the darker."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(d * 2 for d in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_page_answers_on_its_first_screen(page: str, document: dict[str, Any]) -> None:
    first = page[: page.index("<nav")]
    for question in ("How useful is it?", "What does it leak?", "What may be done with it?"):
        assert question in first
    assert document["privacy"]["statement"].split(":")[0] in first
    assert "For research use. Not a medical device." in first


def test_there_is_one_mark_for_the_scores_of_recipients(page: str) -> None:
    assert page.count(f"<!-- place: {RECIPIENTS} -->") == 1


def test_many_images_per_class_are_cut_short(source: ReportSource) -> None:
    wanted = 2 * (MOST_PER_CLASS + 5)
    many = replace(
        source.distilled,
        images=source.distilled.images[:1].expand(wanted, -1, -1, -1),
        labels=source.distilled.labels[:1].repeat(wanted) * 0 + wanted_labels(source, wanted),
    )
    page = render_html(compose(replace(source, distilled=many), report_json(source))).decode()
    assert page.count("<img") == 2 * MOST_PER_CLASS <= MOST
    assert f"The first {MOST_PER_CLASS} of {MOST_PER_CLASS + 5}" in page


def wanted_labels(source: ReportSource, count: int) -> Any:
    return source.distilled.labels.new_tensor([number % 2 for number in range(count)])


def test_hostile_names_are_text(source: ReportSource) -> None:
    names = (HOSTILE, "{{ 7 * 7 }}")
    renamed = dict(zip(source.distilled.classes, names, strict=True))
    hostile = replace(
        source,
        dataset=HOSTILE,
        counts={renamed[name]: counts for name, counts in source.counts.items()},
        distilled=replace(source.distilled, classes=names),
        utility={
            key: {
                **figures,
                "per_class": {renamed[n]: v for n, v in figures["per_class"].items()},
                "roc": {
                    **figures["roc"],
                    "classes": {renamed[n]: v for n, v in figures["roc"]["classes"].items()},
                },
            }
            for key, figures in source.utility.items()
        },
    )
    parsed = Page(render_html(compose(hostile, report_json(hostile))).decode())
    assert not any(tag == "script" for tag, _ in parsed.elements)
    assert not any(set(attributes) & {"onerror", "onload"} for _, attributes in parsed.elements)
    assert parsed.words().count(HOSTILE) > 5
    assert "{{ 7 * 7 }}" in parsed.words()


def test_no_word_promises_too_much(page: str, document: dict[str, Any]) -> None:
    assert "anonym" not in (page + str(document)).lower()
