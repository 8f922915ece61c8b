"""Looks into a published bundle: that it is one, that it holds nothing else, that it was cleared.

Nothing in it is executed, unpickled or drawn: names, sums, JSON, and the outlines of pictures and
tensors are read.
"""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from app.core.errors import Invalid
from app.core.types import JsonObject
from app.federation.documents import PublicationDocument
from app.organisations.release_policy import Decision, decide
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
_IHDR = struct.Struct(">IIBB")
_CHECKSUM_BYTES = 4


class PublicationRefused(Invalid):
    """A bundle that is not shown. The detail says what is wrong with it."""

    code = "publication-refused"
    title = "The release cannot be published here"


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
        _expect_images(files, metadata, report)
        released = certificate["release"]
        facts = _facts(document, released, report, files[TERMS].decode(), organisation)
        report = _with_spent(report, facts)
        decision = decide(report, document.policy, waived=document.waived)
        override = _override(document, released, decision)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Whatever is missing in documents that somebody else has written.
        raise _refused("Its report or certificate does not say what every one says") from error
    if not decision.allowed:
        refuse(f"The release policy that is stated does not allow it: {' '.join(decision.reasons)}")
    return Contents(facts, report, decision, override, checked.sums_sha256)


def refuse(why: str) -> NoReturn:
    raise _refused(why)


def _refused(why: str) -> PublicationRefused:
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
    """A PNG of size×size pixels, with nothing beside its pixels: no text, no byte after its end."""
    kinds, position = [], len(_PNG)
    while content.startswith(_PNG) and len(content) - position >= _CHUNK.size:
        length, kind = _CHUNK.unpack_from(content, position)
        if length > len(content) - position - _CHUNK.size - _CHECKSUM_BYTES:
            refuse("A picture in it is cut short")
        kinds.append(kind)
        if kind == b"IHDR" and length >= _IHDR.size:
            width, height, _, colour = _IHDR.unpack_from(content, position + _CHUNK.size)
            if (width, height) != (size, size) or colour not in (0, 2):
                refuse(f"A picture in it has not {size}×{size} pixels, as distilled images have")
        position += _CHUNK.size + length + _CHECKSUM_BYTES
    data = kinds[1:-1]
    if position != len(content) or kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"]:
        refuse("A picture in it is none, or is followed by something else")
    if not data or set(data) != {b"IDAT"}:
        refuse("A picture in it holds more than its pixels")


def _expect_tensors(content: bytes, images: int, size: int) -> None:
    """The header of a safetensors file: `images` of the right shape, and no gap between tensors."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(LARGEST_HEADER, len(content) - 8):
        refuse("Its tensors cannot be read")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    shape = header["images"]["shape"]
    if len(shape) != 4 or shape[0] != images or list(shape[2:]) != [size, size]:
        refuse("Its tensors are of other images than its pictures")
    end = 0
    for begins, ends in sorted(tensor["data_offsets"] for tensor in header.values()):
        if begins != end or ends < begins:
            refuse("Its tensors hold more than it says")
        end = ends
    if end != len(content) - 8 - length:
        refuse("Its tensors hold more than it says")


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
