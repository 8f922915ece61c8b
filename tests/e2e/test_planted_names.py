"""What names a patient in an upload is in nothing that the service later stores, serves or logs."""

import io
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.planted import planted_in, write_source
from tests.fixtures.waiting import wait_until

if TYPE_CHECKING:
    from tests.fixtures.service import Service


def zipped(source: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(source.rglob("*")):
            archive.write(path, path.relative_to(source).as_posix())
    return file.getvalue()


def tarred(source: Path) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:xz") as archive:
        archive.add(source, "export")
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(("pack", "each"), [(zipped, 4), (tarred, 2)], ids=["zipped", "tarred"])
def test_no_planted_name_is_left_once_an_archive_was_read(
    pack: Callable[[Path], bytes], each: int, make_service: Callable[..., "Service"], tmp_path: Path
) -> None:
    archive = pack(write_source(tmp_path / "source", each=each))
    service = make_service(EXCHANGE_SCAN_TEXT="true")
    made = service.client.post("/datasets", json={"name": "ward"}).json()
    address = f"/datasets/{made['id']}"
    service.client.put(f"{address}/archive", content=archive)

    def settled() -> str | None:
        status: str = service.client.get(address).json()["status"]
        return status if status != "checking" else None

    served = []
    if wait_until(settled, "the archive was listed") == "awaiting_mapping":
        layout = service.client.get(f"{address}/layout")
        served.append(layout.content)
        mapping = layout.json()["layout"]["readings"][0]["mapping"]
        # Table paths and the like are as the archive has them, until it is confirmed.
        assert service.client.put(f"{address}/layout", json=mapping).status_code == 202
    assert wait_until(settled, "the archive was read") == "ready"
    wait_until(
        lambda: service.client.get(f"{address}/texts").json()["status"] == "done",
        "the pictures were searched for text",
        seconds=180,
    )
    objects = service.data_dir / "objects"
    wait_until(lambda: not list(objects.rglob("archive-*")), "the archive is deleted")

    quality = service.client.get(f"{address}/quality").json()
    assert quality["images"] == 6 * each
    assert quality["patients"] == 2 * each
    pages = ("", "/quality", "/quality/files", "/layout", "/texts", "/thumbnails", "/versions")
    served += [service.client.get(address + page).content for page in pages]
    served += [service.client.get("/datasets").content]
    assert [planted_in(content) for content in served if planted_in(content)] == []
    # A moment for what the portal still writes.
    time.sleep(1)
    found = {
        str(path.relative_to(service.data_dir)): names
        for path in service.data_dir.rglob("*")
        if path.is_file() and (names := planted_in(path.read_bytes()))
    }
    assert found == {}
