"""The commands that ask a portal elsewhere, against a portal."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app import remote
from app.cli import app
from app.models import DatasetStatus, DistillationStatus

if TYPE_CHECKING:
    from conftest import House

Exchange = Callable[..., Result]


@pytest.fixture
def exchange(
    house: "House", live_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Exchange:
    monkeypatch.setenv("EXCHANGE_PORTAL_URL", live_url)
    monkeypatch.setenv("EXCHANGE_TOKEN", house.steward.token)
    monkeypatch.setattr(remote, "SECONDS_BETWEEN_LOOKS", 0.01)
    (tmp_path / "chest.zip").write_bytes(b"an archive")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_an_archive_goes_into_a_new_dataset_or_a_named_one(
    exchange: Exchange, house: "House"
) -> None:
    made = exchange("upload", "chest.zip", "--no-wait")
    assert made.exit_code == 0, made.output
    dataset_id = made.stdout.splitlines()[-1]
    assert house.dataset_status(dataset_id) == DatasetStatus.CHECKING
    assert house.steward.get(f"/datasets/{dataset_id}").json()["name"] == "chest"
    rejected = house.rejected_dataset()
    again = exchange("upload", "chest.zip", "--dataset", rejected, "--no-wait")
    assert again.stdout.splitlines()[-1] == rejected
    assert house.dataset_status(rejected) == DatasetStatus.CHECKING


def test_an_upload_that_cannot_be_says_why(exchange: Exchange, house: "House") -> None:
    missing = exchange("upload", "nothing.zip")
    assert missing.exit_code == 1
    assert "no file" in missing.stderr
    assert house.steward.get("/datasets").json()["items"] == []
    ready = house.ready_dataset()
    refused = exchange("upload", "chest.zip", "--dataset", ready)
    assert refused.exit_code == 1
    assert "takes no archive now" in refused.stderr


def test_a_distillation_is_followed_to_its_end(
    exchange: Exchange, house: "House", eventually: Callable[..., None]
) -> None:
    dataset_id = house.ready_dataset()
    results: list[Result] = []
    command = ("distill", dataset_id, "--preset", "cpu_demo", "--images-per-class", "3")
    follower = threading.Thread(target=lambda: results.append(exchange(*command)))
    follower.start()
    eventually(lambda: house.steward.get("/distillations").json()["items"], "it is asked for")
    [row] = house.steward.get("/distillations").json()["items"]
    assert row["images_per_class"] == 3
    house.hand_on(row["id"], DistillationStatus.READY)
    follower.join(timeout=20)
    [done] = results
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == row["id"]


def test_a_distillation_that_fails_says_why(exchange: Exchange, house: "House") -> None:
    refused = exchange("distill", house.ready_dataset(), "--preset", "cpu_huge")
    assert refused.exit_code == 1
    assert "cpu_demo" in refused.stderr


def test_results_are_downloaded_into_a_folder(
    exchange: Exchange, house: "House", tmp_path: Path
) -> None:
    done = exchange("download", house.ready_distillation(), "--out", "results")
    assert done.exit_code == 0, done.output
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert names == {"bundle.zip", "report.html", "report.json"}
    assert set(map(Path, done.stdout.split())) == {Path("results") / name for name in names}


def test_without_a_token_nothing_is_sent(
    exchange: Exchange, house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXCHANGE_TOKEN")
    refused = exchange("upload", "chest.zip")
    assert refused.exit_code == 1
    assert "EXCHANGE_TOKEN" in refused.stderr
    assert house.steward.get("/datasets").json()["items"] == []


def test_the_base_install_is_enough() -> None:
    program = (
        "import sys\n"
        "for name in ('sqlalchemy', 'fastapi', 'uvicorn', 'celery', 'torch', 'obstore'):\n"
        "    sys.modules[name] = None\n"
        "import app.remote\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
