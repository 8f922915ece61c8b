"""``report.pdf``: the same blocks, set by Typst as PDF/A-2b and PDF/UA-1.

PDF/A holds every letter that it shows, as a hospital's archive needs; PDF/UA is tagged, so
that a screen reader finds headings, tables and the words for each picture. The letters are DejaVu
Sans, which Matplotlib ships (free, `LICENSE_DEJAVU` beside the files).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import matplotlib as mpl
import typst
from matplotlib.font_manager import get_font

from worker.reports import formatting
from worker.reports.blocks import Block, Place, Report
from worker.reports.svg import Plot

STANDARDS: list[Literal["a-2b", "ua-1"]] = ["a-2b", "ua-1"]

_FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
_LONG_WORD = re.compile(r"[^\s\u200b]{25,}")
_PIECE = 12
_BREAK = "\u200b"
_MISSING = "□"
_MISSING_NOTE = (
    "The font of this PDF lacks some letters of the names: □ stands for those. report.html has "
    "them."
)


class _Folder:
    """Files that the template reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0

    def write(self, content: bytes, suffix: str) -> str:
        name = f"{self._count}.{suffix}"
        self._count += 1
        (self._path / name).write_bytes(content)
        return name


def render_pdf(report: Report) -> bytes:
    """Set the PDF. Equal content gives equal bytes."""
    with TemporaryDirectory(prefix="report-") as name:
        path = Path(name)
        template = (files("worker.reports") / "templates" / "report.typ").read_bytes()
        (path / "report.typ").write_bytes(template)
        content = _content(report, _Folder(path))
        (path / "report.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        pdf = typst.compile(
            path / "report.typ",
            root=path,
            font_paths=[_FONTS],
            ignore_system_fonts=True,  # the same letters on every machine
            format="pdf",
            pdf_standards=[*STANDARDS],
            timestamp=0,  # the document's date is the distillation's
        )
    return pdf


def _content(report: Report, folder: _Folder) -> dict[str, Any]:
    """Convert the report to JSON, with file names for the pictures."""
    content: dict[str, Any] = _plain(report, folder)
    content["day"] = [int(part) for part in report.date.split("-")] if report.date else None
    content["date"] = formatting.day(report.date) if report.date else None
    if _MISSING in json.dumps(content, ensure_ascii=False):
        content["colophon"] = f"{content['colophon']} {_MISSING_NOTE}"
    return content


def _plain(value: Any, folder: _Folder) -> Any:
    """Convert to JSON: pictures become files, and long words get places to break."""
    match value:
        case Plot():
            return folder.write(value.for_print().encode(), "svg")
        case bytes():
            return folder.write(value, "webp")
        case str():
            return _LONG_WORD.sub(_broken, _printable(value))
        case Mapping():
            return {str(name): _plain(item, folder) for name, item in value.items()}
        case frozenset():
            return sorted(value)
        case list() | tuple():
            # Nothing is added to a PDF.
            return [_plain(item, folder) for item in value if not isinstance(item, Place)]
        case Block():
            return {"kind": value.kind, **_plain(vars(value), folder)}
    return _plain(vars(value), folder) if is_dataclass(value) else value


def _printable(text: str) -> str:
    return "".join(letter if ord(letter) in _known() else _MISSING for letter in text)


@cache
def _known() -> frozenset[int]:
    """Return the letters that every weight of the font has; Typst itself handles line ends."""
    weights = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
    maps = (get_font(_FONTS / name).get_charmap() for name in weights)
    return frozenset.intersection(*map(frozenset, maps)) | {ord("\n")}


def _broken(word: re.Match[str]) -> str:
    text = word[0]
    return _BREAK.join(text[i : i + _PIECE] for i in range(0, len(text), _PIECE))
