"""A dataset is composed anew with each decision, and never lost by one."""

import io
import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from app.core.security import Caller, Role
from app.datasets import decisions
from app.datasets.schemas import DecisionCreate
from app.models import Dataset, DatasetStatus

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness


def archive() -> bytes:
    """Two classes; the four pictures of one are nearly alike, so that three would be left out."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for number in range(12):
            source = number if number % 2 == 0 or number < 3 else 1
            pixels = np.random.default_rng(source).integers(0, 250, (40, 40), dtype=np.uint8)
            picture = io.BytesIO()
            Image.fromarray(pixels + np.uint8(number // 3)).save(picture, "PNG")
            written.writestr(f"{'AB'[number % 2]}/{number}.png", picture.getvalue())
    return file.getvalue()


@pytest.mark.slow
def test_a_decision_that_leaves_too_little_is_not_carried_out(harness: "WorkerHarness") -> None:
    dataset_id = harness.upload(archive())

    def row() -> Dataset:
        with harness.database.reading() as session:
            return session.get_one(Dataset, dataset_id)

    def settled() -> Dataset:
        harness.until(lambda: row().status != DatasetStatus.CHECKING, "it is composed")
        return row()

    before = settled()
    assert before.status == DatasetStatus.READY
    files = json.loads(harness.stored(decisions.finding_files_key(dataset_id)))
    assert len(files["near_duplicate"]) == 3
    images = harness.stored(before.images_key)

    steward = Caller.on_behalf(harness.organisation_id, Role.STEWARD, "Dr. Grey")
    with harness.database.transaction() as session:
        body = DecisionCreate(action="leave_out")
        decisions.decide(session, harness.storage, steward, dataset_id, "near_duplicate", body)

    after = settled()
    assert after.status == DatasetStatus.READY
    assert after.classes == before.classes
    assert after.decisions == {}
    assert harness.stored(after.images_key) == images
    assert (after.problem or {})["type"].endswith(":decision-not-carried-out")
    assert "earlier decisions are as they were" in " ".join((after.problem or {})["detail"].split())
