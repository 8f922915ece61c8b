"""Reads archives of the cases, all with the decoder of one test session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from iadd.intake.examine import Outcome, examine
from iadd.intake.layout.mapping import Mapping
from iadd.intake.options import ReadOptions
from iadd.intake.pictures.pool import DecoderPool
from iadd.intake.read import load_pictures
from tests.intake_cases.case import AWAITING, READY, Became, Case, differences
from tests.intake_cases.drawing import SIDE, chest

OPTIONS = ReadOptions(key=b"k" * 32, image_size=SIDE, workers=1)


@contextmanager
def one_decoder() -> Iterator[None]:
    """Let all archives share a decoder, which takes a third of a second to start."""
    with DecoderPool(SIDE, workers=1, patient_key=OPTIONS.key) as pool:

        @contextmanager
        def shared(*arguments: Any, **keywords: Any) -> Iterator[DecoderPool]:
            yield pool

        with mock.patch("iadd.intake.read_pictures.DecoderPool", shared):
            yield


def wrongs(case: Case, archive: Path, out: Path) -> list[str]:
    """Read an archive, confirm its best reading if it asks, and return what is not as expected."""
    outcome = examine(archive, out, options=OPTIONS)
    found = differences(case, became(outcome))
    if found:
        return found
    shown = _everything(outcome, out)
    if outcome.status == READY:
        found += _looks(case, out)
    if outcome.status == AWAITING:
        assert outcome.layout is not None
        mapping = Mapping.from_dict(outcome.layout["readings"][0]["mapping"])
        outcome = examine(archive, out, options=OPTIONS, mapping=mapping)
        if outcome.status != case.confirmed:
            found.append(f"confirmed, it is {outcome.status}: {outcome.problem}")
        totals = {name: sum(counts.values()) for name, counts in outcome.classes.items()}
        if outcome.status == READY and totals != dict(case.classes):
            found.append(f"confirmed, it has {totals}")
        shown += _everything(outcome, out)
    planted = [word for word in case.planted if word.encode() in shown]
    return found + ([f"it shows {planted}"] if planted else [])


def became(outcome: Outcome) -> Became:
    """Return what the comparison needs."""
    return Became(
        status=outcome.status,
        classes=outcome.classes,
        layout=outcome.layout,
        quality=outcome.quality,
        problem=outcome.problem,
    )


def _everything(outcome: Outcome, out: Path) -> bytes:
    """All that is stored, served or shown of an archive."""
    files = [path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()]
    records = load_pictures(out).records if outcome.status == READY else []
    text = json.dumps([asdict(outcome), [asdict(one) for one in records]], ensure_ascii=False)
    return b"".join([*files, text.encode()])


def means_in_order(out: Path) -> list[float]:
    """Mean grey of each picture, in the order of the archive."""
    return [float(picture.mean()) for picture in _in_order(out)]


def _in_order(out: Path) -> list[npt.NDArray[np.uint8]]:
    read = load_pictures(out)
    order = sorted(range(len(read.records)), key=lambda number: read.records[number].position)
    return [read.pixels[number] for number in order]


def _looks(case: Case, out: Path) -> list[str]:
    """Compare the pictures with the drawn chests: as many of COVID, from 0, as Normal, from 50."""
    if case.looks is None and case.grey_like is None:
        return []
    pictures = _in_order(out)
    half = len(pictures) // 2
    for place, picture in enumerate(pictures):
        finding, number = ("COVID", "Normal")[place // half], 50 * (place // half) + place % half
        expected = chest(finding, number)
        if case.grey_like is not None:
            expected = case.grey_like(expected, number)
        error = np.abs(picture.astype(float) - expected).mean()
        if error > 8 or abs(picture.mean() - expected.mean()) > 0.1 * expected.mean():
            return [f"picture {place} is {picture.mean():.0f} bright, not {expected.mean():.0f}"]
    return []
