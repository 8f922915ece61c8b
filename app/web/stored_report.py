"""Takes a stored report apart, so that a page can show it in its own frame.

It is one `<main>`, one `<style>` whose rules are all about `.report`, and a comment that keeps a
place free for what was not known yet. A report of an earlier form has none of that: it is shown as
a page of its own.
"""

import base64
import hashlib
from dataclasses import dataclass
from html.parser import HTMLParser

PLACE = "place: recipients-scores"
ACTIVE = frozenset({"script", "form", "iframe", "object", "embed", "base", "link", "meta"})
"""Active elements. A report has none, and none may reach a page of the portal."""


@dataclass(frozen=True, kw_only=True)
class StoredReport:
    """The parts of a report.

    Attributes:
        style: Rules of its looks.
        before: Its content, up to where the recipients' scores belong.
        after: The HTML that follows them.
    """

    style: str
    before: str
    after: str

    @property
    def style_source(self) -> str:
        """The hash source of this style for a Content-Security-Policy."""
        digest = hashlib.sha256(self.style.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"


def take_apart(document: str) -> StoredReport | None:
    """Take a report apart; None where it has another structure."""
    finder = _Finder(document)
    finder.feed(document)
    finder.close()
    if finder.is_active or len(finder.styles) != 1 or finder.main is None:
        return None
    style = document[slice(*finder.styles[0])]
    start, end = finder.main
    place = finder.place or (end, end)
    return StoredReport(
        style=style, before=document[start : place[0]], after=document[place[1] : end]
    )


class _Finder(HTMLParser):
    """Finds where the parts begin and end."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=False)
        self._lines = [0]
        for line in document.split("\n"):  # what the parser counts, and nothing else
            self._lines.append(self._lines[-1] + len(line) + 1)
        self._open: dict[str, int] = {}
        self.styles: list[tuple[int, int]] = []
        self.main: tuple[int, int] | None = None
        self.place: tuple[int, int] | None = None
        self.is_active = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        after = self._at() + len(self.get_starttag_text() or "")
        if tag == "style" and "id" not in given:
            self._open["style"] = after
        elif tag == "main":
            if "report" in (given.get("class") or "").split():
                self._open["main"] = after
        elif "main" in self._open:
            acts = any(name.startswith(("on", "hx-", "data-hx-", "style")) for name in given)
            self.is_active |= tag in ACTIVE or acts

    def handle_endtag(self, tag: str) -> None:
        if tag == "style" and "style" in self._open:
            self.styles.append((self._open.pop("style"), self._at()))
        elif tag == "main" and "main" in self._open:
            self.main = (self._open.pop("main"), self._at())

    def handle_comment(self, data: str) -> None:
        if "main" in self._open and data.strip() == PLACE:
            self.place = (self._at(), self._at() + len(f"<!--{data}-->"))

    def _at(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column
