"""Looks into a published bundle: that it is one, that it holds nothing else, that it was cleared.

Nothing in it is executed, unpickled or drawn: names, sums, JSON, and the outlines of pictures and
tensors are read.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.types import JsonObject
from app.federation.documents import PublicationDocument
from app.federation.publications.pictures import expect_picture
from app.federation.publications.refusal import UNUSUAL, refuse, refused
from app.federation.publications.reports import expect_report
from app.federation.publications.tensors import expect_tensors
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
        expect_report(report)
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
        expect_picture(content, size)
    expect_tensors(files[TENSORS], expected, size)


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
