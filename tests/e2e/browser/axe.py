"""A close look at a page: axe, and whether anything is wider than the screen."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).parents[3] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

needs_axe = pytest.mark.skipif(
    not AXE.is_file(), reason="axe-core comes with frontend/node_modules: run `make frontend`"
)


def look_closely(page: "Page") -> list[list[str]]:
    """Open what is folded, and let axe look: each finding with its places."""
    page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")
    page.evaluate(AXE.read_text())
    found: list[list[str]] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags}).then(all => all.violations.map("
        "one => [one.id, ...one.nodes.map(node => node.target.join(' '))]))",
        STANDARDS,
    )
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return found + ([["wider than the screen"]] if wide else [])
