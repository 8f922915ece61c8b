"""Taking a stored report apart."""

import base64
import hashlib

import pytest

from app.web.stored_report import take_apart

DOCUMENT = """<!doctype html>
<html lang="en"><head><style>{style}</style><style id="page">body {{ margin: 0 }}</style></head>
<body><main class="report" id="report-main"><h1>Größe &amp; more</h1>
<p>before</p>{place}<p>after</p>{more}</main></body></html>"""
PLACE = "<!-- place: recipients-scores -->"


def document(style=".report { color: red }", place=PLACE, more=""):
    return DOCUMENT.format(style=style, place=place, more=more)


def test_its_style_and_its_content_are_lifted_out_as_they_are():
    report = take_apart(document())
    assert report.style == ".report { color: red }"
    assert report.before == "<h1>Größe &amp; more</h1>\n<p>before</p>"
    assert report.after == "<p>after</p>"


def test_the_policy_names_that_style_and_no_other():
    report = take_apart(document())
    digest = hashlib.sha256(b".report { color: red }").digest()
    assert report.style_source == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_without_a_place_the_scores_come_last():
    report = take_apart(document(place="<!-- something else -->"))
    assert report.before.endswith("<p>after</p>")
    assert report.after == ""


@pytest.mark.parametrize("breaks", ["\r\n", "\u2028", "\x0b", "\n\n"])
def test_no_kind_of_line_break_shifts_it(breaks):
    report = take_apart(document(style=f".report {{{breaks}}}"))
    assert report.style == f".report {{{breaks}}}"
    assert report.after == "<p>after</p>"


@pytest.mark.parametrize(
    "more",
    [
        "<script>alert(1)</script>",
        '<img src="x" onerror="alert(1)">',
        '<p hx-get="/sign-out" hx-trigger="load">x</p>',
        '<p style="color: red">x</p>',
        '<form action="/sign-out"></form>',
        '<iframe src="/"></iframe>',
    ],
)
def test_nothing_that_acts_gets_into_a_page_of_the_portal(more):
    assert take_apart(document(more=more)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!doctype html><title>Report</title>",
        "<style>p {}</style><body><h1>An earlier report</h1></body>",
        '<style>p {}</style><style>q {}</style><main class="report"></main>',
        '<style>p {}</style><main class="report">never closed',
        "<style>p {}</style><main>of something else</main>",
    ],
)
def test_what_has_another_form_is_not_taken_apart(text):
    assert take_apart(text) is None
