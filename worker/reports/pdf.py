"""``report.pdf``: the same blocks, set by Typst as PDF/A-2b and PDF/UA-1.

PDF/A holds every letter that it shows, as a hospital's archive needs; PDF/UA is tagged, so
that a screen reader finds headings, tables and the words for each picture. The letters are DejaVu
Sans, which Matplotlib ships (free, `LICENSE_DEJAVU` beside the files).
"""

import json
import re
from dataclasses import asdict, is_dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import matplotlib as mpl
import typst
from matplotlib.font_manager import get_font

from worker.reports import formatting
from worker.reports.blocks import Block, Figures, Gallery, Matrices, Place, Report

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
        content = _plain(report, _Folder(path))
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


def _plain(report: Report, folder: _Folder) -> dict[str, Any]:
    """Convert the report to JSON, with file names for the pictures."""
    date = report.date
    content: dict[str, Any] = _breakable(
        {
            "title": report.title,
            "day": [int(part) for part in date.split("-")] if date else None,
            "date": formatting.day(date) if date else None,
            "facts": report.facts,
            "internal": report.internal,
            "notice": report.notice,
            "conclusions": [asdict(conclusion) for conclusion in report.conclusions],
            "sections": [
                {
                    "title": section.title,
                    "blocks": [
                        _block(block, folder)
                        for block in section.blocks
                        if not isinstance(block, Place)  # nothing is added to a PDF
                    ],
                }
                for section in report.sections
            ],
            "colophon": report.colophon,
        }
    )
    if _MISSING in json.dumps(content, ensure_ascii=False):
        content["colophon"] = f"{content['colophon']} {_MISSING_NOTE}"
    return content


def _block(block: Block, folder: _Folder) -> dict[str, Any]:
    if isinstance(block, Figures):
        return {
            "kind": block.kind,
            "small": block.small,
            "figures": [
                {
                    "title": figure.title,
                    "caption": figure.caption,
                    "file": folder.write(figure.plot.for_print().encode(), "svg"),
                    "table": _table(asdict(figure.table)),
                }
                for figure in block.figures
            ],
        }
    if isinstance(block, Gallery):
        return {
            "kind": block.kind,
            "name": block.name,
            "note": block.note,
            "starts": any(picture.start for picture in block.pictures),
            "pictures": [
                {
                    "number": picture.number,
                    "file": folder.write(picture.image, "webp"),
                    "start": folder.write(picture.start, "webp") if picture.start else None,
                }
                for picture in block.pictures
            ],
        }
    if isinstance(block, Matrices):
        return {"kind": block.kind, "tables": [_table(asdict(table)) for table in block.tables]}
    assert is_dataclass(block)
    return _table({"kind": block.kind, **asdict(block)})


def _table(content: dict[str, Any]) -> dict[str, Any]:
    """Convert sets, and numbers as names, which JSON does not have."""
    if "rows" not in content:
        return content
    groups = content["groups"] or {}
    return {
        **content,
        "groups": {str(row): title for row, title in groups.items()},
        "ours": sorted(content["ours"]),
        "words": sorted(content["words"]),
    }


def _breakable(value: Any) -> Any:
    """Add places to break in words that are too long for a narrow column."""
    if isinstance(value, str):
        return _LONG_WORD.sub(_broken, _printable(value))
    if isinstance(value, dict):
        return {name: _breakable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_breakable(item) for item in value]
    return value


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
