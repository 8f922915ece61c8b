"""The documentation site: `make docs` builds it into `site/`, from the files that GitHub shows.

The whole repository is the source, so that a link from one file to another means the same here as
there. What this file adds to the text: the navigation, and the REST reference of the real portal.
"""

import shutil
import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

from api_reference import api_reference  # noqa: E402 (beside this file)

NAVIGATION = {
    "Install": ["docs/install", "docs/deploy", "docs/cluster", "docs/airgapped"],
    "Operate": [
        "docs/service",
        "docs/federation",
        "docs/settings",
        "docs/operate",
        "docs/runbooks",
        "docs/upgrade",
        "docs/faults",
        "docs/scaling",
    ],
    "Use": ["docs/portal", "docs/intake", "docs/guide"],
    "Client and API": ["docs/client", "docs/webhooks", "docs/authorisation", "docs/api"],
    "Results": ["docs/results", "docs/performance", "benchmarks/pages/*"],
    "Security": ["docs/security", "SECURITY"],
    "Development": [
        "docs/architecture",
        "docs/terms",
        "docs/adr/README",
        "CONTRIBUTING",
        "CHANGELOG",
    ],
}
"""Pages by heading, in their order. A page that stands in none is a warning, and so an error."""

project = "IADD Exchange"
html_title = "IADD Exchange"
root_doc = "README"
extensions = ["myst_parser"]
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/adr/*.md",
    "benchmarks/pages/*.md",
]
exclude_patterns = [
    ".*",
    "app",
    "deploy",
    "docs/node_modules",
    "frontend",
    "iadd",
    "site",
    "tests",
    "worker",
]

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_static_path = ["static", "node_modules/@mermaid-js/tiny/dist"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5d7a", "color-brand-content": "#0b5d7a"},
    "dark_css_variables": {"color-brand-primary": "#7cc4dc", "color-brand-content": "#7cc4dc"},
}
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "default"
DIAGRAMS = ("mermaid.tiny.js", "diagrams.js")


class Mermaid(Directive):
    """A diagram, drawn in the browser by a script of the site itself."""

    has_content: ClassVar[bool] = True
    BEGIN: ClassVar[str] = '<pre class="mermaid">'

    def run(self) -> list[nodes.Node]:
        escaped = escape("\n".join(self.content), quote=False)
        return [nodes.raw("", f"{self.BEGIN}\n{escaped}\n</pre>", format="html")]

    @classmethod
    def is_in(cls, raw: nodes.raw) -> bool:
        """Whether it is a diagram."""
        return raw.astext().startswith(cls.BEGIN)


def _add_what_is_made(app: "Sphinx", page: str, source: list[str]) -> None:
    """Append the navigation to the first page, and the reference to its page."""
    if page == root_doc:
        source[0] += "".join(_toctree(heading, pages) for heading, pages in NAVIGATION.items())
    elif page == "docs/adr/README":
        source[0] += _toctree("", ["docs/adr/0*"])
    elif page == "docs/api":
        source[0] += api_reference()


def _toctree(heading: str, pages: list[str]) -> str:
    there = "\n".join(f"/{page}" for page in pages if any(ROOT.glob(f"{page}.md")))
    caption = f":caption: {heading}\n" if heading else ""
    return f"\n\n```{{toctree}}\n:hidden:\n:glob:\n{caption}\n{there}\n```\n"


def _add_scripts(
    app: "Sphinx", page: str, _template: str, _context: object, tree: nodes.document | None
) -> None:
    if tree is not None and any(Mermaid.is_in(raw) for raw in tree.findall(nodes.raw)):
        for name in DIAGRAMS:
            app.add_js_file(name, loading_method="defer")


def _write_index(app: "Sphinx", error: Exception | None) -> None:
    """Let the site open at its folder: its first page is the README."""
    if error is None and app.builder.name == "html":
        shutil.copyfile(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: "Sphinx") -> None:
    """Connect the functions above."""
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", _add_what_is_made)
    app.connect("html-page-context", _add_scripts)
    app.connect("build-finished", _write_index)
