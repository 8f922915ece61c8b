"""Fills what a released version leaves behind, for the tests of those that follow.

Run it once in a checkout of the version, before it is released, and add the archives:

    pytest tests/compatibility/fill.py -n 0

It writes `tests/compatibility/<version>/`: `rows.tar.xz`, a database with rows of every kind and
their objects; `in_flight.tar.xz`, the data folder of a service that was stopped in the middle of a
distillation, with the images that the same version reached without a stop. pytest does not collect
it by itself: what is made once is never made again.
"""

import io
import json
import shutil
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from tests.app.web.bulk_rows import BulkSeeder
from tests.fixtures.clients import PASSWORD, Reader
from tests.fixtures.service import TINY, start_service
from tests.fixtures.waiting import wait_until

EVERYBODY = "everybody@hospital.example"
TARGET = Path(__file__).parent / version("iadd-exchange")


def pack(folder: Path) -> None:
    TARGET.mkdir(exist_ok=True)
    with tarfile.open(TARGET / f"{folder.name}.tar.xz", "w:xz", preset=9) as archive:
        archive.add(folder, folder.name)


def copy_data(source: Path, target: Path, *names: str) -> None:
    target.mkdir(parents=True)
    with (
        closing(sqlite3.connect(source / "exchange.db")) as database,
        closing(sqlite3.connect(target / "exchange.db")) as copy,
    ):
        database.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("VACUUM")
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        else:
            shutil.copyfile(source / name, target / name)


def test_rows(portal, tmp_path):
    seeder = BulkSeeder(portal, EVERYBODY)
    somebody = Reader(portal.client.base_url)
    somebody.sign_in(EVERYBODY, PASSWORD)
    seeder.grow(3)
    somebody.client.close()
    folder = tmp_path / "rows"
    copy_data(portal.services.settings.data_dir, folder, "objects", "secret.key")
    (folder / "ids.json").write_text(json.dumps(seeder.ids))
    pack(folder)


def test_in_flight(tmp_path):
    service = start_service(tmp_path / "data")
    try:
        dataset = service.upload(archive())
        settings = {"preset": "cpu_demo", "images_per_class": 1, "seed": 3}
        settings["initialisation"] = "noise"
        overrides = {**TINY, "iterations": 40}
        asked = service.client.post(
            f"/datasets/{dataset['id']}/distillations", json=settings | {"overrides": overrides}
        )
        assert asked.status_code == 202, asked.text
        job = asked.json()["id"]
        service.wait_for(job, "distilling", seconds=900)
        wait_until(
            lambda: (service.row(job)["progress"] or {}).get("done", 0) >= 5, "some of it is done"
        )
        service.stop()
        folder = tmp_path / "in_flight"
        copy_data(service.data_dir, folder, "objects", "secret.key", "token")
        service = start_service(tmp_path / "data")
        service.wait_for(job, "ready", seconds=900)
        (folder / "distilled.safetensors").write_bytes(service.images(job))
        (folder / "ids.json").write_text(json.dumps({"distillation_id": job}))
    finally:
        service.stop()
    pack(folder)


def archive() -> bytes:
    """Two classes of 16 pictures, bright on top or below."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for label, name in enumerate(("COVID", "Normal")):
            for number in range(16):
                noise = np.random.default_rng([label, number])
                # Few shades in large squares, so that the archive stays small.
                squares = 8 * noise.integers(0, 12, (4, 4), dtype=np.uint8)
                pixels = np.kron(squares, np.ones((28, 28), dtype=np.uint8))
                pixels[56 * label : 56 * label + 56] += 100
                picture = io.BytesIO()
                Image.fromarray(pixels).save(picture, "PNG")
                file.writestr(f"set/{name}/{number:03d}.png", picture.getvalue())
    return written.getvalue()
