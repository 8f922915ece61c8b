"""Headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from types import MappingProxyType

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.digests import Digest
from app.core.errors import BadRequest, Invalid, PreconditionFailed, Problem

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration,checksum"
ALGORITHMS = ("sha256", "sha1")
"""The protocol demands SHA-1, which only detects transmission errors."""
CONTENT_TYPE = "application/offset+octet-stream"
FOLDER = "/api/v1/uploads"
LONGEST_METADATA = 4000

_KEY = re.compile(r"[!-+\--~]+")


class UnsupportedVersion(PreconditionFailed):
    code = "tus-version"
    title = "Unsupported version of the upload protocol"


class UnsupportedBody(Problem):
    status = 415
    code = "upload-content-type"
    title = "The body is not of the type of an upload"


class InvalidMetadata(Invalid):
    code = "upload-metadata"
    title = "The Upload-Metadata cannot be read"


class InvalidChecksum(BadRequest):
    code = "upload-checksum"
    title = "The Upload-Checksum cannot be read"


@dataclass(frozen=True)
class Checksum:
    algorithm: str
    expected: bytes

    @classmethod
    def of(cls, header: str) -> "Checksum":
        """Raises InvalidChecksum."""
        algorithm, _, encoded = header.strip().partition(" ")
        try:
            expected = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            expected = b""
        if algorithm not in ALGORITHMS or len(expected) != hashlib.new(algorithm).digest_size:
            raise InvalidChecksum(
                "Upload-Checksum is one of " + ", ".join(ALGORITHMS) + ", a space, and the sum of "
                "this request's body in Base64. Nothing of the body was taken."
            )
        return cls(algorithm, expected)

    def begin(self) -> Digest:
        return hashlib.new(self.algorithm)


def expect_version(sent: str | None) -> None:
    """Raises UnsupportedVersion."""
    if sent != VERSION:
        raise UnsupportedVersion(
            f"Send `Tus-Resumable: {VERSION}`, the version that this portal speaks. Nothing was "
            "changed.",
            headers={"Tus-Version": VERSION},
        )


def read_metadata(header: str) -> Mapping[str, str]:
    """Keys and their values. Raises InvalidMetadata."""
    found: dict[str, str] = {}
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            text = "\0"
        if not _KEY.fullmatch(key) or key in found or "\0" in text:
            raise InvalidMetadata(
                "Upload-Metadata is a list of pairs: a key, a space, and its value in Base64 of "
                "UTF-8, with commas between them. No upload was begun."
            )
        found[key] = text
    return MappingProxyType(found)


def http_date(when: datetime) -> str:
    return format_datetime(when, usegmt=True)


class TusHeaders:
    """Says the version with every reply, and lets POST stand for what a client cannot send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(FOLDER):
            return await self._app(scope, receive, send)
        wanted = Headers(scope=scope).get("x-http-method-override", "").upper()
        if scope["method"] == "POST" and wanted in ("PATCH", "DELETE"):
            scope = {**scope, "method": wanted}

        async def with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Tus-Resumable", VERSION)
            await send(message)

        await self._app(scope, receive, with_version)


def without_names(sent: str) -> str:
    """Of `Upload-Metadata` only whose archive it is: a file's name may name a patient."""
    pairs = (pair.strip() for pair in sent.split(","))
    return ",".join(pair for pair in pairs if pair.partition(" ")[0] == "dataset_id")
