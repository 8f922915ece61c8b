"""Each archive that once went wrong becomes what its description says."""

import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from iadd.intake.examine import Outcome, examine
from iadd.intake.layout.mapping import Mapping
from iadd.intake.options import ReadOptions
from iadd.intake.read import load_pictures
from iadd.intake.text.scan import scan_slice
from tests.intake_cases.case import AWAITING, READY, Became, Case, differences
from tests.intake_cases.cases import ARCHIVES, CASES
from tests.intake_cases.grey import expected_means

OPTIONS = ReadOptions(key=b"k" * 32, image_size=72, workers=1)


def became(outcome: Outcome) -> Became:
    return Became(
        status=outcome.status,
        classes=outcome.classes,
        layout=outcome.layout,
        quality=outcome.quality,
        problem=outcome.problem,
    )


def everything(outcome: Outcome, out: Path) -> bytes:
    """All that is stored, served or shown of an archive."""
    files = [path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()]
    records = load_pictures(out).records if outcome.status == READY else []
    text = json.dumps([asdict(outcome), [asdict(one) for one in records]], ensure_ascii=False)
    return b"".join([*files, text.encode()])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_archive_becomes_what_it_should(case: Case, tmp_path: Path) -> None:
    archive = ARCHIVES / f"{case.name}.zip"
    outcome = examine(archive, tmp_path, options=OPTIONS)
    assert differences(case, became(outcome)) == []
    if case.grey is not None:
        read = load_pictures(tmp_path)
        means = dict(zip((one.position for one in read.records), read.pixels, strict=True))
        found = [float(means[position].mean()) for position in sorted(means)]
        np.testing.assert_allclose(found, expected_means(archive, case.grey), rtol=0.1)
    confirmed = outcome
    if outcome.status == AWAITING:
        mapping = Mapping.from_dict(outcome.layout["readings"][0]["mapping"])
        confirmed = examine(archive, tmp_path, options=OPTIONS, mapping=mapping)
        assert confirmed.status == case.confirmed, confirmed.problem
        if confirmed.status == READY:
            totals = {name: sum(n.values()) for name, n in confirmed.classes.items()}
            assert totals == dict(case.classes)
    shown = everything(outcome, tmp_path) + everything(confirmed, tmp_path)
    assert [word for word in case.planted if word.encode() in shown] == []


def test_names_that_are_burned_into_pictures_are_found(tmp_path: Path) -> None:
    (case,) = [one for one in CASES if one.has_text]
    archive = ARCHIVES / f"{case.name}.zip"
    examine(archive, tmp_path, options=OPTIONS)
    records = load_pictures(tmp_path).records
    found = scan_slice(archive, records, options=OPTIONS, encoding=None, start=0, seconds=60)
    assert len(found.found) == case.has_text
    texts = frozenset(one.path for one in found.found)
    outcome = examine(None, tmp_path, options=OPTIONS, texts=texts)
    (finding,) = [one for one in outcome.quality["findings"] if one["code"] == "text_in_picture"]
    assert (finding["count"], finding["severity"]) == (case.has_text, "hold")


def test_the_table_describes_each_archive_once() -> None:
    there = sorted(path.stem for path in ARCHIVES.glob("*.zip"))
    assert sorted(case.name for case in CASES) == there
    assert all(zipfile.is_zipfile(path) for path in ARCHIVES.glob("*.zip"))
