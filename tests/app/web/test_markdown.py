"""Markdown on pages."""

from app.web.markdown import markdown


def test_headings_go_on_below_the_page_and_skip_no_level():
    html = markdown("# One\n\n#### Four\n\n## Two", below=2)
    assert html == "<h3>One</h3>\n<h4>Four</h4>\n<h4>Two</h4>\n"


def test_html_stays_text():
    assert "&lt;b&gt;" in markdown("<b>")


def test_tables_are_tables_and_pictures_are_none():
    assert "<table>" in markdown("| a | b |\n|---|---|\n| 1 | 2 |")
    assert "<img" not in markdown("![a](/x.png)")
