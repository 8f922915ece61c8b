"""``report.html``: one self-contained page. No script, and nothing is fetched from anywhere.

A portal may lift the inside of its ``<main>`` and the first ``<style>`` into a page of its own:
that style sheet has rules for ``.report`` alone, no element has a style of its own, and every id
begins with ``report-``.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from worker.reports import formatting
from worker.reports.blocks import Badge, Cell, Report, Share
from worker.reports.svg import Plot

_SHADES = 10
"""Steps in which a cell of a confusion is shaded: a strict policy allows no style of its own."""


def render_html(report: Report) -> bytes:
    """Write the page."""
    template = _environment().get_template("report.html")
    return template.render(
        report=report, sheet=_sheet("report.css"), page=_sheet("page.css")
    ).encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("worker.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["day"] = formatting.day
    environment.filters["data_uri"] = _data_uri
    environment.filters["drawn"] = _drawn
    environment.filters["cell"] = _cell
    environment.filters["hash"] = _hash
    environment.tests["share"] = lambda cell: isinstance(cell, Share)
    return environment


@cache
def _sheet(name: str) -> Markup:
    text = (files("worker.reports") / "templates" / name).read_text(encoding="utf-8")
    return Markup(f"\n{text}")  # noqa: S704 - our own file


def _hash(sheet: str) -> str:
    """Return the hash by which a strict policy allows a style element."""
    digest = hashlib.sha256(str(sheet).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _data_uri(picture: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"


def _drawn(plot: Plot, label: str) -> Markup:
    """Draw the plot as one picture with a name for screen readers."""
    head = Markup('<svg role="img" aria-label="{}"').format(label)
    svg = plot.for_page().replace("<svg", str(head), 1)
    return Markup(svg)  # noqa: S704 - drawn from numbers; the label is escaped above


def _cell(cell: Cell) -> Markup:
    if isinstance(cell, Badge):
        return Markup('<span class="badge {}">{}</span>').format(cell.tone, cell.text)
    if isinstance(cell, Share):
        return Markup('<span class="share share-{}">{}</span>').format(
            round(cell.share * _SHADES), cell.text
        )
    mean, sign, deviation = cell.partition(" ± ")
    if sign and mean.replace(".", "", 1).isdigit():  # a narrow page may put it on two lines
        return Markup('<span class="mean">{}</span> <span class="std">± {}</span>').format(
            mean, deviation
        )
    return Markup("{}").format(cell)
