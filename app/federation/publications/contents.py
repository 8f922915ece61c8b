"""Looks into a published bundle: that it is one, that it holds nothing else, that it was cleared.

Nothing in it is executed, unpickled or drawn: names, sums, JSON, and the outlines of pictures and
tensors are read.
"""

import json
import math
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, Field, FiniteFloat

from app.core.errors import Invalid
from app.core.types import JsonObject
from app.federation.documents import PublicationDocument
from app.models.distillation import Verdict
from app.organisations.release_policy import Decision, decide
from app.releases.duo import parse_conditions
from app.releases.facts import ReleaseFacts
from app.signing.keys import KeyHistory
from app.signing.verify import Checked, read_bundle
from app.signing.zip_container import DamagedError, UnreadableError
from iadd.bundle.format import (
    CARD,
    CERTIFICATE,
    CROISSANT,
    METADATA,
    TENSORS,
    TERMS,
    sha256_of,
)

NEEDED = {CARD, CROISSANT, METADATA, TENSORS, TERMS, "report.json", CERTIFICATE["json"]}
ALLOWED = NEEDED | {"report.html", "report.pdf", *CERTIFICATE.values()}
PICTURE = re.compile(r"images/([^/]+)/\d{3,}\.png")
LARGEST_HEADER = 1024 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
_CHECKSUM = struct.Struct(">I")
_IHDR = struct.Struct(">IIBBBBB")
_CHANNELS = {0: 1, 2: 3}
"""By kind of colour: grey, and three colours."""
_TENSORS = {"images": ("F32", 4), "labels": ("I64", 8), "syn_lr": ("F32", 4)}
"""Type and bytes of a number, by name."""


class PublicationRefused(Invalid):
    """A bundle that is not shown. The detail says what is wrong with it."""

    code = "publication-refused"
    title = "The release cannot be published here"


UNUSUAL = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What documents that somebody else has written may lead to, where something in them is missing, or
is another thing than it always is."""


@dataclass(frozen=True)
class Contents:
    """A bundle that was looked through.

    Attributes:
        facts: What it is released with.
        report: `report.json`, with the ε of its release.
        decision: Of the release policy that its owner stated, applied here again.
        override: What two people waived, or None.
        fingerprint: SHA-256 of its sums.
    """

    facts: ReleaseFacts
    report: Mapping[str, Any]
    decision: Decision
    override: JsonObject | None
    fingerprint: str


def look_into(bundle: bytes, document: PublicationDocument, history: KeyHistory) -> Contents:
    """Check a bundle against what was signed of it.

    Args:
        bundle: All of its bytes.
        document: What the organisation signed.
        history: Of the key that signed the document, and that this hub trusts.

    Raises:
        PublicationRefused: Anything is not as it has to be.
    """
    if (len(bundle), sha256_of(bundle)) != (document.bundle.size, document.bundle.sha256):
        refuse("Its bytes are not those that were signed")
    try:
        checked, files = read_bundle(bundle)
    except (DamagedError, UnreadableError) as error:
        refuse(f"Its bundle is damaged: {str(error).rstrip('.')}")
    organisation = _signed_by(checked, document, history)
    _expect_files(files)
    metadata = _json(files, METADATA)
    report: Mapping[str, Any] = _json(files, "report.json")
    certificate = _json(files, CERTIFICATE["json"])
    try:
        _expect_report(report)
        parse_conditions(document.duo)
        _expect_images(files, metadata, report)
        released = certificate["release"]
        facts = _facts(document, released, report, files[TERMS].decode(), organisation)
        report = _with_spent(report, facts)
        decision = decide(report, document.policy, waived=document.waived)
        override = _override(document, released, decision)
    except UNUSUAL as error:
        raise refused("Its report or certificate does not say what every one says") from error
    if not decision.allowed:
        refuse(f"The release policy that is stated does not allow it: {' '.join(decision.reasons)}")
    return Contents(facts, report, decision, override, checked.sums_sha256)


def refuse(why: str) -> NoReturn:
    raise refused(why)


def refused(why: str) -> PublicationRefused:
    """The refusal in words, of which every one says what was kept."""
    return PublicationRefused(f"{why.rstrip('.')}. Nothing is shown here; at home nothing changed.")


def _signed_by(checked: Checked, document: PublicationDocument, history: KeyHistory) -> str:
    """The organisation's name, as it signs. Raises PublicationRefused."""
    signature = checked.signature
    if signature is None:
        refuse("Its bundle is not signed")
    if checked.sums_sha256 != document.bundle.fingerprint:
        refuse("Its fingerprint is another bundle's")
    if signature.history.key not in history.keys:
        refuse("Its bundle was signed with a key that no statement leads from to the present one")
    return signature.organisation


def _expect_files(files: Mapping[str, bytes]) -> None:
    if missing := sorted(NEEDED - set(files)):
        refuse(f"Its bundle holds no {', '.join(missing)}")
    others = [name for name in files if name not in ALLOWED and not PICTURE.fullmatch(name)]
    if others:
        # Not their names: they may be patients'.
        refuse(f"Its bundle holds {len(others)} files that no bundle has")


def _json(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        document = json.loads(files[name])
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        refuse(f"Its {name} cannot be read")
    return document


def _expect_images(
    files: Mapping[str, bytes], metadata: Mapping[str, Any], report: Mapping[str, Any]
) -> None:
    """Distilled images, each as large as the report says, for the classes that it names."""
    pictures = {name: content for name, content in files.items() if PICTURE.fullmatch(name)}
    size, classes = int(report["settings"]["image_size"]), list(report["dataset"]["classes"])
    if list(metadata["classes"]) != classes or int(metadata["image_size"]) != size:
        refuse("Its report and its metadata speak of other images")
    if {name.split("/")[1] for name in pictures} != set(classes):
        refuse("Its pictures are of other classes than its report's")
    expected = int(report["utility"]["distilled"]["training_images"])
    if int(report["images_per_class"]) < 1:
        refuse("Its report speaks of no images")
    if len(pictures) != expected:
        refuse(f"Its report speaks of {expected} images, and it holds {len(pictures)}")
    for content in pictures.values():
        _expect_picture(content, size)
    _expect_tensors(files[TENSORS], expected, size)


def _expect_picture(content: bytes, size: int) -> None:
    """A PNG of size×size pixels of 8 bits, and nothing beside its pixels."""
    if not content.startswith(_PNG):
        refuse("A picture in it is none")
    chunks, position = [], len(_PNG)
    while position < len(content):
        if len(content) - position < _CHUNK.size + _CHECKSUM.size:
            refuse("A picture in it is cut short, or followed by something else")
        length, kind = _CHUNK.unpack_from(content, position)
        end = position + _CHUNK.size + length
        if end + _CHECKSUM.size > len(content):
            refuse("A picture in it is cut short")
        (checksum,) = _CHECKSUM.unpack_from(content, end)
        if zlib.crc32(content[position + 4 : end]) != checksum:
            refuse("A picture in it is damaged")
        chunks.append((kind, content[position + _CHUNK.size : end]))
        position = end + _CHECKSUM.size
    kinds = [kind for kind, _ in chunks]
    if (
        len(kinds) < 3
        or kinds != [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"]
        or chunks[-1][1]
    ):
        refuse("A picture in it holds more than its pixels")
    if len(chunks[0][1]) != _IHDR.size:
        refuse("A picture in it holds more than its pixels")
    width, height, depth, colour, *rest = _IHDR.unpack(chunks[0][1])
    if (width, height) != (size, size) or depth != 8 or colour not in _CHANNELS or any(rest):
        refuse(f"A picture in it has not {size}×{size} pixels, as distilled images have")
    bytes_of_pixels = size * (1 + size * _CHANNELS[colour])
    unpack = zlib.decompressobj()
    try:
        pixels = unpack.decompress(b"".join(part for _, part in chunks[1:-1]), bytes_of_pixels + 1)
    except zlib.error:
        refuse("A picture in it is damaged")
    if len(pixels) != bytes_of_pixels or not unpack.eof or unpack.unused_data:
        refuse("A picture in it holds more than its pixels, or less")


def _expect_tensors(content: bytes, images: int, size: int) -> None:
    """A safetensors file: the images, their labels, the learning rate, and no byte beside them."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(LARGEST_HEADER, len(content) - 8):
        refuse("Its tensors cannot be read")
    header = json.loads(content[8 : 8 + length])
    if header.pop("__metadata__", {}) not in ({}, {"format": "pt"}) or set(header) != set(_TENSORS):
        refuse("Its tensors are not those that a bundle has")
    shape = header["images"]["shape"]
    if len(shape) != 4 or shape[0] != images or list(shape[2:]) != [size, size]:
        refuse("Its tensors are of other images than its pictures")
    end = 0
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        kind, bytes_each = _TENSORS[name]
        begins, ends = tensor["data_offsets"]
        if tensor["dtype"] != kind or begins != end:
            refuse("Its tensors hold more than it says")
        if ends - begins != bytes_each * math.prod(tensor["shape"]):
            refuse("Its tensors hold more than it says")
        end = ends
    if end != len(content) - 8 - length:
        refuse("Its tensors hold more than it says")


class _Figure(BaseModel):
    mean: FiniteFloat
    std: FiniteFloat | None = None
    n: int | None = None


class _Row(BaseModel):
    training_images: Annotated[int, Field(ge=0, le=10**9)] | None = None
    balanced_accuracy: _Figure | None = None
    accuracy: _Figure | None = None


class _Noisy(BaseModel):
    accuracy: FiniteFloat
    networks: int


class _Metric(BaseModel):
    title: str
    outcome: str
    explanation: str | None = None


class _Attack(BaseModel):
    title: str
    stratum: str
    outcome: str
    tpr: FiniteFloat
    fpr: FiniteFloat
    tpr_interval: tuple[FiniteFloat, FiniteFloat]


class _Privacy(BaseModel):
    verdict: Verdict
    statement: str = ""
    metrics: list[_Metric] = []
    attacks: list[_Attack] = []
    power: dict[str, Any] | None = None
    proof: dict[str, Any] | None = None


class _Dataset(BaseModel):
    classes: dict[Annotated[str, Field(min_length=1, max_length=100)], Any] = Field(min_length=1)


class _Report(BaseModel):
    """The parts of a report that a hub stores and shows. Others may be there."""

    dataset: _Dataset
    utility: dict[str, _Row]
    noisy_score: _Noisy | None = None
    privacy: _Privacy


def _expect_report(report: Mapping[str, Any]) -> None:
    """Raises ValueError: what pages show of it is unlike every report's, or cannot be stored."""
    _Report.model_validate(report, strict=False)
    text = json.dumps(report, allow_nan=False)
    if "\\u0000" in text:
        raise ValueError("a NUL in it cannot be stored")


def _facts(
    document: PublicationDocument,
    released: Mapping[str, Any],
    report: Mapping[str, Any],
    terms: str,
    organisation: str,
) -> ReleaseFacts:
    if (released["id"], released["number"]) != (document.release, document.number):
        refuse("Its certificate is of another release")
    if released["organisation"] != organisation:
        refuse("Its certificate names another organisation than its signature")
    epsilon = released.get("epsilon")
    return ReleaseFacts(
        id=document.release,
        number=document.number,
        title=document.title,
        summary=document.summary,
        card=document.card,
        terms=terms,
        duo=tuple(document.duo),
        organisation=organisation,
        contact=document.contact,
        citation=document.citation,
        embargo_until=document.embargo_until,
        created_at=document.released_at,
        verdict=str(report["privacy"]["verdict"]),
        epsilon=None if epsilon is None else float(epsilon),
    )


def _with_spent(report: Mapping[str, Any], facts: ReleaseFacts) -> Mapping[str, Any]:
    """The report of a proven set with what all runs had spent when it was released."""
    privacy = report["privacy"]
    proof = privacy.get("proof")
    if facts.epsilon is None or not isinstance(proof, Mapping):
        return report
    spent = max(facts.epsilon, float(proof["epsilon"]))
    return {**report, "privacy": {**privacy, "proof": {**proof, "epsilon": spent}}}


def _override(
    document: PublicationDocument, released: Mapping[str, Any], decision: Decision
) -> JsonObject | None:
    """What two people waived, as the certificate says it. Raises PublicationRefused."""
    override = released["override"]
    waived = sorted(one.code for one in decision.waived)
    if waived != sorted(set(document.waived)) or (override is None) != (not waived):
        refuse("What was waived for it is not what its certificate says")
    if override is None:
        return None
    datetime.fromisoformat(override["decided_at"])
    return {
        "reason": str(override["reason"]),
        "objections": list(document.waived),
        "people": 2,
        "decided_at": override["decided_at"],
    }
