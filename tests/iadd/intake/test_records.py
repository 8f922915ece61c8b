"""Records are kept in a file, and are the same when they come back."""

from pathlib import Path

import pytest

from iadd.intake.records import Record, StoredRecords, read_records, write_records

RECORDS = [
    Record(
        shown=f"A/{number}.png",
        path=f"{number:032x}",
        folders=("aa", "bb")[: number % 3],
        position=number,
        class_name="AB"[number % 2],
        digest=f"{number:032x}",
        width=number,
        patient="p" if number % 2 else None,
        flags=("low_contrast",) if number == 4 else (),
    )
    for number in range(7)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_records(tmp_path / "records", RECORDS)
    return tmp_path / "records"


def test_records_come_back_as_they_were_in_any_order(path: Path) -> None:
    stored = StoredRecords(path)
    assert len(stored) == 7
    assert list(stored) == list(read_records(path)) == RECORDS
    assert [stored[5], stored[-7], *stored[2:4]] == [RECORDS[5], RECORDS[0], *RECORDS[2:4]]
    with pytest.raises(IndexError):
        stored[7]


def test_equal_records_give_equal_bytes_and_no_file_is_left(path: Path, tmp_path: Path) -> None:
    write_records(tmp_path / "again", StoredRecords(path))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again", "records"]
