"""Each archive that once went wrong, and each of its kind, becomes what its description says."""

import math
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from iadd.intake.examine import examine
from iadd.intake.read import load_pictures
from iadd.intake.text.scan import scan_slice
from tests.intake_cases.case import Case
from tests.intake_cases.cases import ARCHIVES, CASES
from tests.intake_cases.grey import expected_means
from tests.intake_cases.reading import OPTIONS, means_in_order, one_decoder, wrongs
from tests.intake_cases.variant import Variant
from tests.intake_cases.variants import VARIANTS


def _shared(name: str, _: Path) -> Path:
    return ARCHIVES / f"{name}.zip"


@pytest.fixture(autouse=True, scope="module")
def _one_decoder() -> Iterator[None]:
    with one_decoder():
        yield


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_archive_becomes_what_it_should(case: Case, tmp_path: Path) -> None:
    archive = ARCHIVES / f"{case.name}.zip"
    assert wrongs(case, archive, tmp_path) == []
    if case.grey is not None:
        expected = expected_means(archive, case.grey)
        np.testing.assert_allclose(means_in_order(tmp_path), expected, rtol=0.1)


@pytest.mark.parametrize("one", VARIANTS, ids=lambda one: one.case.name)
def test_another_archive_of_its_kind_becomes_what_it_should(one: Variant, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert wrongs(one.case, one.write(tmp_path / "archive"), out) == []


def test_each_shared_archive_has_a_second_one_of_its_kind() -> None:
    kinds = {one.of for one in VARIANTS}
    assert {case.name for case in CASES} - kinds == set()
    assert kinds - {case.name for case in CASES} == {"bad input"}
    assert [name for name, n in Counter(one.case.name for one in VARIANTS).items() if n > 1] == []


TEXTS = [
    *((one, partial(_shared, one.name)) for one in CASES if one.has_text),
    *((one.case, one.write) for one in VARIANTS if one.case.has_text),
]


# Searching takes a second of a processor for each picture; the reader of text has quick tests.
@pytest.mark.slow
@pytest.mark.parametrize(("case", "write"), TEXTS, ids=[case.name for case, _ in TEXTS])
def test_names_that_are_burned_into_pictures_are_found(
    case: Case, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    archive = write(tmp_path / "archive")
    examine(archive, out, options=OPTIONS)
    records = load_pictures(out).records
    found = scan_slice(archive, records, options=OPTIONS, encoding=None, start=0, seconds=math.inf)
    assert len(found.found) == case.has_text, [one.shown for one in found.found]
    texts = frozenset(one.path for one in found.found)
    outcome = examine(None, out, options=OPTIONS, texts=texts)
    assert outcome.quality is not None
    (finding,) = [one for one in outcome.quality["findings"] if one["code"] == "text_in_picture"]
    assert (finding["count"], finding["severity"]) == (case.has_text, "hold")


def test_the_table_describes_each_archive_once() -> None:
    there = sorted(path.stem for path in ARCHIVES.glob("*.zip"))
    assert sorted(case.name for case in CASES) == there
    assert all(zipfile.is_zipfile(path) for path in ARCHIVES.glob("*.zip"))
