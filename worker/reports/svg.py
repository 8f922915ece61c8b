"""Converts a Matplotlib figure to SVG that a page or a PDF can hold.

A page forbids inline styles, gives its own colours and letters, and shares its ids among all plots.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

# Colours that stand for those of the page or the paper, and are replaced in the finished SVG.
INK, MUTED, LINE = "#010101", "#020202", "#030303"
FIRST, SECOND, THIRD = "#040404", "#050505", "#060606"
_NAMES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    FIRST: "series-1",
    SECOND: "series-2",
    THIRD: "series-3",
}
PRINTED: Mapping[str, str] = {
    "ink": "#000000",
    "muted": "#444444",
    "line": "#cccccc",
    "series-1": "#0072b2",
    "series-2": "#d55e00",
    "series-3": "#00795a",
}
"""Okabe and Ito's blue, vermillion, and bluish green, darker by a fifth: the legend is text too."""
LETTERS = "DejaVu Sans"
"""Ships with Matplotlib, and has the letters α, θ and W."""


@dataclass(frozen=True)
class Plot:
    """A plot, with placeholders for colours."""

    svg: str

    def for_page(self) -> str:
        """Return it with the colours of the page, light and dark."""
        return self._coloured({name: f"var(--report-{name})" for name in PRINTED})

    def for_print(self) -> str:
        """Return it as a file of its own, with the colours of paper."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" font-family="{LETTERS}"'
        return self._coloured(PRINTED).replace("<svg", head, 1)

    def _coloured(self, colours: Mapping[str, str]) -> str:
        svg = self.svg
        for placeholder, name in _NAMES.items():
            svg = svg.replace(placeholder, colours[name])
        return svg


def svg_of(figure: Figure, name: str) -> Plot:
    """Draw a figure. It depends on neither time nor machine, and holds no name of a person."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    # Its style sheet would apply to the whole page; its rules go to the root.
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    root = r'<svg viewBox="\1" stroke-linejoin="round" stroke-linecap="butt">'
    svg = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', root, svg, count=1)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r' style="([^"]*)"', _attributes, svg)
    svg = re.sub(r'="[^"]*"', _rounded, svg)
    svg = _own_ids(svg, f"report-plot-{name}")
    return Plot(re.sub(r">\s+<", "><", svg))


def _attributes(style: re.Match[str]) -> str:
    """Convert to presentation attributes: a strict policy refuses inline styles."""
    written = []
    for declaration in style[1].split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":  # a shorthand, which is no attribute
            size = re.search(r"([\d.]+)px", value)
            assert size is not None, value
            name, value = "font-size", size[1]
        if name:
            written.append(f' {name}="{value}"')
    return "".join(written)


def _rounded(attribute: re.Match[str]) -> str:
    """Round to hundredths of a point: smaller digits are invisible and take half of the bytes."""
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", attribute[0])


def _own_ids(svg: str, prefix: str) -> str:
    """Keep the ids that something refers to, each with a prefix that no other plot has."""
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    numbers = {name: f"{prefix}-{number}" for number, name in enumerate(sorted(used))}
    svg = re.sub(
        r' id="([^"]+)"', lambda m: f' id="{numbers[m[1]]}"' if m[1] in numbers else "", svg
    )
    return re.sub(r'(href="#|url\(#)([^")]+)', lambda m: f"{m[1]}{numbers[m[2]]}", svg)
