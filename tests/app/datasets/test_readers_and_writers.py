"""What reads a stored object holds no writer up: the object hangs, and a writer is answered."""

import json
import threading

import pytest

from app.core.storage import Storage
from app.datasets.findings import PAGE

SLOW = {
    "the quality report": ("quality.json", "quality"),
    "the files that were left out": ("refused.jsonl", "quality/files"),
    "a thumbnail": ("thumbnails/0000.png", "thumbnails/0000.png"),
    "a picture of a finding": ("sheets/near_duplicate.png", "findings/near_duplicate/picture"),
    "a picture with text": ("texts/ab12.png", "texts/ab12/picture"),
}


@pytest.mark.parametrize(("name", "address"), SLOW.values(), ids=SLOW)
def test_whoever_reads_holds_no_writer_up(portal, monkeypatch, name, address):
    """The object is read for as long as the writer needs."""
    dataset_id = portal.ready_dataset()
    portal.storage.put(f"datasets/{dataset_id}/refused.jsonl", b"")
    reads, goes_on = threading.Event(), threading.Event()

    def slowly(method):
        def read(self, key):
            if key.endswith(name):
                reads.set()
                assert goes_on.wait(60)
            return method(self, key)

        return read

    for method in ("get", "lines"):
        monkeypatch.setattr(Storage, method, slowly(getattr(Storage, method)))
    replies = []
    reader = threading.Thread(
        target=lambda: replies.append(portal.steward.get(f"/datasets/{dataset_id}/{address}"))
    )
    reader.start()
    assert reads.wait(60)
    written = portal.admin.post("/datasets", json={"name": "another"})
    goes_on.set()
    reader.join()

    assert written.status_code == 201
    assert replies[0].status_code == 200, replies[0].text


def test_a_report_of_version_02_comes_with_a_page_of_its_files(portal):
    dataset_id = portal.ready_dataset()
    files = [{"name": f"{n}.png", "code": "no_image", "reason": "None."} for n in range(1000)]
    quality = {"images": 100, "findings": [], "refused": files}
    portal.storage.put(f"datasets/{dataset_id}/quality.json", json.dumps(quality).encode())

    report = portal.steward.get(f"/datasets/{dataset_id}/quality").json()
    last = portal.steward.get(f"/datasets/{dataset_id}/quality/files?page=10").json()

    assert len(report["refused"]) == PAGE
    assert report["refused_groups"][0]["count"] == 1000
    assert (last["total"], last["items"][-1]["name"]) == (1000, "999.png")
