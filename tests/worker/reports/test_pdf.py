"""The PDF: for archives, with all that it needs, and for screen readers."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader
from pypdf.generic import IndirectObject

from tests.worker.reports.read_formats import letters_of_pdf, squeezed
from worker.reports import ReportSource, compose, render_pdf, report_json
from worker.reports.blocks import Report


@pytest.fixture(scope="module")
def pdf(report: Report) -> bytes:
    return render_pdf(report)


@pytest.fixture(scope="module")
def reader(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def test_it_says_that_it_is_for_archives_and_for_screen_readers(reader: PdfReader) -> None:
    metadata = reader.trailer["/Root"]["/Metadata"].get_data()
    said = {
        (element.tag, (element.text or "").strip())
        for element in ElementTree.fromstring(metadata).iter()
    }
    archive = "{http://www.aiim.org/pdfa/ns/id/}"
    assert (f"{archive}part", "2") in said
    assert (f"{archive}conformance", "B") in said
    assert ("{http://www.aiim.org/pdfua/ns/id/}part", "1") in said


def test_it_holds_every_letter_that_it_shows(reader: PdfReader) -> None:
    fonts = [
        font.get_object()
        for page in reader.pages
        for font in page["/Resources"].get("/Font", {}).values()
    ]
    assert fonts
    for font in fonts:
        descriptor = font["/DescendantFonts"][0]["/FontDescriptor"]
        assert "DejaVu" in descriptor["/FontName"]
        assert "/FontFile2" in descriptor


def test_it_runs_and_fetches_nothing(reader: PdfReader) -> None:
    assert not {"/JavaScript", "/JS", "/Launch", "/EmbeddedFile", "/URI"} & names_in(reader)


def names_in(reader: PdfReader) -> set[str]:
    """Every key, and every name that is a value, in all objects."""
    names: set[str] = set()

    def visit(value: Any) -> None:
        if isinstance(value, IndirectObject):
            return
        if isinstance(value, dict):
            for key, item in value.items():
                names.add(key)
                visit(item)
        elif isinstance(value, list):
            for item in value:
                visit(item)
        elif isinstance(value, str) and value.startswith("/"):
            names.add(value)

    for number in reader.xref_objStm | reader.xref[0]:
        visit(reader.get_object(number))
    return names


def test_it_has_a_title_a_language_and_a_structure(reader: PdfReader) -> None:
    root = reader.trailer["/Root"]
    assert reader.metadata is not None
    assert reader.metadata.title == "X-rays (COVID & friends, Normal), distilled"
    assert reader.metadata.creation_date == datetime(2026, 11, 26, tzinfo=UTC)
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"] is True or root["/MarkInfo"]["/Marked"].value
    assert {"/Table", "/TH", "/TD", "/Figure", "/Alt", "/H1", "/H2"} <= names_in(reader)
    outline = [entry.title for entry in reader.outline if not isinstance(entry, list)]
    assert "Privacy" in str(outline) or "Privacy" in str(reader.outline)


def test_every_page_names_the_dataset_the_date_and_its_number(reader: PdfReader) -> None:
    count = len(reader.pages)
    for number, page in enumerate(reader.pages, 1):
        words = squeezed(page.extract_text())
        assert squeezed("X-rays (COVID & friends, Normal)") in words
        assert "26November2026" in words
        assert f"{number}of{count}" in words
        assert squeezed("For research use. Not a medical device.") in words


def test_the_same_report_gives_the_same_bytes(source: ReportSource, pdf: bytes) -> None:
    assert render_pdf(compose(source, report_json(source))) == pdf


@pytest.mark.parametrize(
    "name",
    [
        "#set page(fill: red) $x$ *b* _i_ `c` @ref <a> \\",
        "胸部X線 2026",
        "a\x00b\x1fc\u202ed",
        "🫁",
    ],
)
def test_any_name_can_be_printed(report: Report, name: str) -> None:
    words = letters_of_pdf(render_pdf(replace(report, title=name)))
    assert squeezed("For research use.") in words
    if name.isascii() and name.isprintable():
        assert squeezed(name) in words
    else:
        assert squeezed("□ stands for those") in words


def test_greek_and_accents_are_printed_as_they_are(report: Report) -> None:
    words = letters_of_pdf(render_pdf(replace(report, title="Røntgen α, Žilina, Ελλάδα, Łódź")))
    assert squeezed("Røntgen α, Žilina, Ελλάδα, Łódź") in words
    assert "□" not in words


def test_a_report_without_a_date_can_be_printed(report: Report) -> None:
    assert render_pdf(replace(report, date=None)).startswith(b"%PDF")
