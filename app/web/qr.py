"""Draws QR codes as SVG within a page."""

import segno
from markupsafe import Markup


def qr_code(text: str, title: str) -> Markup:
    """The code as an inline SVG, black on white with its quiet zone, in dark pages too.

    Args:
        text: At most about 2,300 characters. With error correction M, 15 % of the picture may be
            unreadable.
        title: For who does not see it.
    """
    drawn = segno.make(text, error="m", micro=False)
    svg = drawn.svg_inline(scale=5, border=4, dark="#000", light="#fff", title=title, svgclass="qr")
    return Markup(svg)  # noqa: S704 (segno escapes the title)
