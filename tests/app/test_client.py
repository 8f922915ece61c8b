"""The client of a remote portal, against a portal."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.client import PortalClient, PortalError
from app.models import DistillationStatus

if TYPE_CHECKING:
    from conftest import House


@pytest.fixture
def client(house: "House", live_url: str) -> Iterator[PortalClient]:
    with PortalClient(live_url, house.steward.token) as client:
        yield client


def test_an_archive_is_streamed_and_counted(
    client: PortalClient, house: "House", tmp_path: Path
) -> None:
    content = bytes(range(256)) * 3000
    (tmp_path / "chest.zip").write_bytes(content)
    made = client.create_dataset("chest")
    assert (made.status, made.size, made.classes, made.problem) == (
        "awaiting_upload",
        None,
        None,
        None,
    )
    counts: list[int] = []
    sent = client.upload_archive(made.id, tmp_path / "chest.zip", on_bytes=counts.append)
    assert (sent.id, sent.status, sent.size) == (made.id, "checking", len(content))
    assert sum(counts) == len(content)
    assert len(counts) > 1
    (key,) = house.stored(f"datasets/{made.id}")
    assert house.storage.get(key) == content


def test_rows_come_back_with_their_fields(client: PortalClient, house: "House") -> None:
    dataset = client.dataset(house.ready_dataset())
    assert dataset.classes is not None
    assert dataset.classes["COVID"] == {"train": 40, "validation": 4, "test": 10}
    assert client.quality(dataset.id) == {"images": 100}
    row = client.start_distillation(
        dataset.id, preset="cpu_demo", seed=7, overrides={"iterations": 5}
    )
    assert (row.status, row.phases, row.verdict, row.problem) == ("queued", {}, None, None)
    assert house.row(row.id).seed == 7
    assert house.row(row.id).overrides == {"iterations": 5}
    house.hand_on(
        row.id,
        DistillationStatus.TEACHING,
        phases={"teaching": {"done": 1, "total": 3, "unit": "teachers"}},
        eta_seconds=12.5,
    )
    row = client.distillation(row.id)
    assert row.status == "teaching"
    assert (row.phases["teaching"].done, row.phases["teaching"].unit) == (1, "teachers")
    assert row.eta_seconds == 12.5
    rejected = client.dataset(house.rejected_dataset())
    assert rejected.problem is not None
    assert rejected.problem.title == "No images"


def test_results_are_downloaded_whole_or_not_at_all(
    client: PortalClient, house: "House", tmp_path: Path
) -> None:
    ready = house.ready_distillation()
    path = tmp_path / "bundle.zip"
    client.download(ready, "bundle", path)
    assert path.read_bytes() == bytes(range(256)) * 40
    with pytest.raises(PortalError) as caught:
        client.download(house.distillation(), "bundle", path)
    assert caught.value.status == 409
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == bytes(range(256)) * 40


def test_a_refusal_says_what_the_portal_says(client: PortalClient, live_url: str) -> None:
    with pytest.raises(PortalError, match="no dataset with this id") as caught:
        client.dataset("ds_nothing")
    assert caught.value.status == 404
    with PortalClient(live_url, "wrong") as stranger, pytest.raises(PortalError) as refused:
        stranger.create_dataset("x")
    assert refused.value.status == 401


def test_a_portal_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        PortalClient(f"http://127.0.0.1:{port}", "token") as client,
        pytest.raises(PortalError, match="does not answer") as caught,
    ):
        client.dataset("ds_1")
    assert caught.value.status is None
