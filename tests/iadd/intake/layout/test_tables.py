import codecs
import gzip

import pytest

from iadd.intake.layout import tables
from iadd.intake.layout.columns import cell_labels, heading_role, is_wide
from iadd.intake.layout.tables import Table

from .layouts import table

ROWS = "Datei{0}Befund\r\na.png{0}Unauffällig\r\nb.png{0}Entzündung\r\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiters_and_encodings_are_found(delimiter: str, encoding: str):
    read = table("x.csv", ROWS.format(delimiter).encode(encoding))
    assert read.columns == ("Datei", "Befund")
    assert list(read.values("Befund")) == ["Unauffällig", "Entzündung"]


def test_utf_16_of_the_other_byte_order_is_read():
    data = codecs.BOM_UTF16_BE + ROWS.format("\t").encode("utf-16-be")
    assert table("x.tsv", data).rows == 2


def test_quoted_cells_keep_delimiters_and_line_ends():
    read = table("x.csv", 'file,label\n"a,1.png","two\nlines"\n')
    assert list(read.values("file")) == ["a,1.png"]
    assert list(read.values("label")) == ["two\nlines"]


def test_a_list_without_headings_is_read_as_covidx():
    read = table("train.txt", "p1 a.png positive cohen\np2 b.png negative rsna\n")
    assert read.columns == ("patient", "file", "label", "source")
    assert not read.has_header
    assert list(read.values("(table)")) == ["train", "train"]


def test_ragged_rows_and_doubled_headings_are_reported_not_fatal():
    read = table("x.csv", "file,label,label\na.png,A,B\nb.png,A\nc.png,A,B,C\n")
    assert read.columns == ("file", "label", "label (2)")
    assert (read.ragged, read.doubled) == (2, ("label",))
    assert list(read.values("label (2)")) == ["B", "", "B"]


def test_rows_beyond_the_limit_are_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 10)
    read = table("x.csv", "file,label\n" + "a.png,A\n" * 11)
    assert (read.rows, read.cut) == (10, True)


def test_a_packed_table_is_unpacked():
    assert table("x.csv.gz", gzip.compress(b"file,label\na.png,A\n")).rows == 1
    assert Table.parse("x.csv.gz", b"\x1f\x8bdamaged") is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("README.txt", b"file,label\n"),
        ("notes.txt", b"The set holds two classes, as was said.\nIt was made, so far, by us.\n"),
        ("x.csv", b"one column\nalone\n"),
        ("x.csv", b"\0\1\2,\3"),
        ("x.csv", b""),
        ("x.png", b"file,label\na.png,A\n"),
    ],
)
def test_what_is_no_table_is_none(name: str, data: bytes):
    assert Table.parse(name, data) is None


@pytest.mark.parametrize(
    ("role", "headings"),
    [
        ("file", "file Path ImageID filename image_id Dateiname dicom_id X_ray_image_name ruta"),
        ("label", "label Labels class finding Befund Finding_Labels Diagnose etiqueta"),
        ("patient", "patient Patient_ID subject_id PatientID Patientennummer paciente"),
        ("split", "split subset Dataset_type Aufteilung"),
        ("view", "view View_Position ViewPosition Projection Frontal/Lateral"),
        ("site", "site hospital Klinik"),
    ],
)
def test_headings_are_known_in_their_spellings(role: str, headings: str):
    assert {heading_role(heading.replace("_", " ")) for heading in headings.split()} == {role}


def test_cells_hold_one_label_several_or_none():
    assert cell_labels("A|B|A") == ("A", "B")
    assert cell_labels("['pneumonia', 'pleural effusion']") == ("pneumonia", "pleural effusion")
    assert cell_labels("['broken, text']") == ("broken, text",)
    assert cell_labels("nan") == ()
    assert cell_labels("[" * 2000 + "]" * 2000) != ()


def test_wide_columns_are_0_1_minus_1_and_blank():
    assert is_wide("Edema", ["1.0", "", "-1.0", "0.0"])
    assert not is_wide("Edema", ["1", "2"])
    assert not is_wide("Edema", ["0", ""])
    assert not is_wide("Follow-up #", ["0", "1"])
