"""Uploads as clients send them, into a folder and into a real S3 server."""

import socket
from base64 import b64encode
from urllib.parse import urlsplit

import httpx
import pytest

from app.models import Upload

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
