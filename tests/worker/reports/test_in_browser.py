"""The page in a real Chromium: narrow and wide, by day and by night, and inside another page."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.worker.reports.sources import ODD, MakeSource
from worker.reports import compose, render_html, report_json
from worker.reports.blocks import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[3] / "frontend/node_modules/axe-core/axe.min.js"


def opened(page: "Page", tmp_path: Path, content: bytes) -> list[str]:
    """Show a page; returns what the browser complains of, as it comes."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    file = tmp_path / "page.html"
    file.write_bytes(content)
    page.goto(file.as_uri())
    return complaints


def is_wider_than_its_window(page: "Page") -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing(
    chromium: "Browser", internal: Report, tmp_path: Path, width: int, scheme: str
) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core: make frontend")
    # Its policy would keep axe out too.
    page = chromium.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    opened(page, tmp_path, render_html(internal))
    page.evaluate(AXE.read_text())
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    found = page.evaluate("axe.run()")
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
    assert not is_wider_than_its_window(page)
    page.close()


def test_its_policy_lets_it_be_as_it_was_meant(
    chromium: "Browser", report: Report, tmp_path: Path
) -> None:
    page = chromium.new_page()
    assert opened(page, tmp_path, render_html(report)) == []
    size = page.evaluate("getComputedStyle(document.querySelector('.report .note')).fontSize")
    assert size == "14px"
    page.close()


@pytest.mark.parametrize("case", ["fifteen classes", "long names"])
def test_no_run_makes_it_wider_than_a_phone(
    chromium: "Browser", make_source: MakeSource, tmp_path: Path, case: str
) -> None:
    settings = dict(ODD[case])
    odd = make_source(settings.pop("names"), **settings)
    page = chromium.new_page(viewport={"width": 390, "height": 900})
    opened(page, tmp_path, render_html(compose(odd, report_json(odd))))
    assert not is_wider_than_its_window(page)
    page.close()


def test_a_portal_can_lift_it_into_a_page_of_its_own(
    chromium: "Browser", report: Report, tmp_path: Path
) -> None:
    html = render_html(report).decode()
    style = re.search(r"<style>.*?</style>", html, re.DOTALL)
    inner = re.search(r"<main[^>]*>(.*)</main>", html, re.DOTALL)
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', html)
    assert style is not None
    assert inner is not None
    assert policy is not None
    host = (
        f"<!doctype html><title>Portal</title>{policy[0]}{style[0]}"
        f'<h1>Portal</h1><p>Words</p><div class="report">{inner[1]}</div>'
    )
    page = chromium.new_page()
    assert opened(page, tmp_path, host.encode()) == []

    def look(selector: str) -> list[str]:
        return page.evaluate(
            """selector => {
                const style = getComputedStyle(document.querySelector(selector))
                return [style.color, style.fontSize, style.margin]
            }""",
            selector,
        )

    bare = chromium.new_page()
    opened(bare, tmp_path, b"<!doctype html><title>Portal</title><h1>Portal</h1><p>Words</p>")
    lifted = [look("body > h1"), look("body > p")]
    page.close()
    page = bare
    assert [look("body > h1"), look("body > p")] == lifted
    bare.close()
