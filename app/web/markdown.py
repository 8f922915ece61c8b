"""Renders people's Markdown as safe HTML.

HTML of theirs stays text, pictures stay away, and links lead to pages and mail alone. Headings go
on below those of the page, and skip no level.
"""

from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

LOWEST = 6


@lru_cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def markdown(text: str, below: int = 2) -> Markup:
    """The text as HTML; its headings begin one level below `below`."""
    tokens = _parser().parse(text)
    level = below
    for token in tokens:
        if token.type == "heading_open":
            level = min(LOWEST, level + 1, below + int(token.tag[1]))
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "nofollow noopener noreferrer")
    # The parser escapes what it does not know as Markdown.
    return Markup(_parser().renderer.render(tokens, _parser().options, {}))  # noqa: S704
