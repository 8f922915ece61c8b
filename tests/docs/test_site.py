"""`make docs` without a warning, into pages that ask nobody outside for anything."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.fixtures.documentation import ROOT, load_script

SPHINX = Path(sys.executable).with_name("sphinx-build")
MERMAID = ROOT / "docs/node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SPHINX.exists(), reason="needs the extra docs"),
    pytest.mark.skipif(not MERMAID.exists(), reason="needs `make docs` once, for its diagrams"),
]


def build(source: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    """As `make docs` does."""
    options = ("--quiet", "--fail-on-warning", "--keep-going", "--nitpicky")
    return subprocess.run(
        [str(SPHINX), *options, "-c", str(source / "docs"), str(source), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert (done.returncode, done.stderr) == (0, "")
    return out


class Loaded(HTMLParser):
    """What a browser fetches for a page without being asked."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video"):
            self.urls.append(given.get("src") or "")
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon", "preconnect"):
            self.urls.append(given.get("href") or "")


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert [url for url in loaded.urls if "//" in url] == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", style.read_text()) == []


def test_it_opens_at_its_folder_and_leads_to_every_page(site: Path) -> None:
    first = (site / "index.html").read_text()

    for page in ROOT.glob("docs/*.md"):
        assert f'href="docs/{page.stem}.html"' in first, page


def test_diagrams_are_drawn_by_a_script_of_the_site(site: Path) -> None:
    text = (site / "docs/architecture.html").read_text()

    assert text.count('<pre class="mermaid">') == 2
    assert (site / "_static/mermaid.tiny.js").read_bytes() == MERMAID.read_bytes()
    assert "mermaid.tiny.js" in text
    assert "mermaid.tiny.js" not in (site / "index.html").read_text()


def test_the_reference_has_every_call(site: Path) -> None:
    text = (site / "docs/api.html").read_text()
    reference = load_script("api_reference").api_reference()

    named = re.findall(r"^### (\w+)$", reference, re.MULTILINE)
    assert len(named) > 100
    assert [name for name in named if f">{name}<" not in text] == []


@pytest.mark.parametrize(
    "mistake", ["[gone](nowhere.md)", "[gone](terms.md#nowhere)", "![gone](nowhere.png)"]
)
def test_a_link_to_nowhere_fails(tmp_path: Path, mistake: str) -> None:
    source = tmp_path / "source"
    (source / "docs").mkdir(parents=True)
    for name in ("conf.py", "api_reference.py", "terms.md"):
        shutil.copy(ROOT / "docs" / name, source / "docs" / name)
    for name in ("static", "node_modules"):
        (source / "docs" / name).symlink_to(ROOT / "docs" / name)
    (source / "README.md").write_text("# Start\n")
    (source / "docs" / "settings.md").write_text(f"# Settings\n\n{mistake}\n")

    done = build(source, tmp_path / "out")

    assert done.returncode != 0
    assert "nowhere" in done.stderr
