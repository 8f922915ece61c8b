"""Reads the formats back: the elements and words of a page, the words of a PDF."""

import io
from html.parser import HTMLParser

from pypdf import PdfReader

_VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """The elements, what they point at, what they lie in, and the text that people see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.parents: list[tuple[str, ...]] = []
        self.text: list[str] = []
        self.styles: list[str] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.parents.append(tuple(self._open))
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "style":
            self.styles.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            self.styles[-1] += data
        else:
            self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def letters_of_page(page: bytes) -> str:
    return squeezed(Page(page.decode()).words())


def letters_of_pdf(pdf: bytes) -> str:
    """Lines break anywhere in a PDF, so its spaces tell nothing."""
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    return squeezed(text)


def squeezed(text: str) -> str:
    """Without spaces, and without the hyphens and breaks that setting it may have put in."""
    return "".join(letter for letter in text if letter.isprintable() and letter not in " -‐\u200b")
