"""What a portal keeps of a release: its row, its bundle, and the parts that are shown alone."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

from app.core.storage import Storage
from app.core.types import JsonObject
from app.models.distillation import Verdict
from app.models.release import Release, ReleaseWarning
from app.releases.facts import ReleaseFacts
from iadd.bundle.format import CERTIFICATE
from iadd.presets import SINGLE_PATIENT_STARTS

MODALITY = "chest X-ray"
PREVIEWS_PER_CLASS = 3
PUBLIC = (
    *("preset", "images_per_class", "initialisation", "image_format", "randomness", "seed"),
    *("versions", "utility", "noisy_score", "privacy"),
)
"""Parts of `report.json` that the catalogue shows."""


def release_row(
    facts: ReleaseFacts,
    report: Mapping[str, Any],
    *,
    organisation_id: str,
    distillation_id: str | None,
    terms_template: str,
    previews: bool,
    decision: JsonObject,
    override: JsonObject | None,
    bundle: bytes,
    fingerprint: str,
    key_id: str,
    published_by: str,
) -> Release:
    """The row of a release.

    Raises:
        KeyError, TypeError, ValueError: The report has not the members that every report has.
    """
    warning = None
    if report.get("initialisation") in SINGLE_PATIENT_STARTS:
        warning = ReleaseWarning.SINGLE_PATIENT_START
    distilled = report["utility"]["distilled"]
    return Release(
        id=facts.id,
        organisation_id=organisation_id,
        distillation_id=distillation_id,
        number=facts.number,
        title=facts.title,
        summary=facts.summary,
        card=facts.card,
        terms_template=terms_template,
        terms_text=facts.terms,
        terms_sha256=hashlib.sha256(facts.terms.encode()).hexdigest(),
        duo_codes=list(facts.duo),
        contact=facts.contact,
        citation=facts.citation,
        embargo_until=facts.embargo_until,
        previews=previews,
        modality=MODALITY,
        images=int(distilled["training_images"]),
        images_per_class=int(report["images_per_class"]),
        image_size=int(report["settings"]["image_size"]),
        # A proven set has a noisy score alone.
        balanced_accuracy=distilled.get("balanced_accuracy", {}).get("mean"),
        verdict=Verdict(facts.verdict),
        facts={name: report[name] for name in PUBLIC if name in report},
        decision=decision,
        override=override,
        warning=warning,
        # Its owner allowed such starts, and knows.
        warned_at=None if warning is None else facts.created_at,
        bundle_key=f"{folder_of(facts.id)}/bundle.zip",
        bundle_sha256=hashlib.sha256(bundle).hexdigest(),
        fingerprint=fingerprint,
        bundle_size=len(bundle),
        key_id=key_id,
        published_by=published_by,
        created_at=facts.created_at,
    )


def classes_of(report: Mapping[str, Any]) -> list[str]:
    return list(report["dataset"]["classes"])


def folder_of(release_id: str) -> str:
    return f"releases/{release_id}"


def store_parts(storage: Storage, release_id: str, bundle: bytes) -> None:
    """Store the bundle, some pictures of each class, and the privacy certificate."""
    folder = folder_of(release_id)
    storage.put(f"{folder}/bundle.zip", bundle)
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        for position, name in enumerate(_shown(archive.namelist())):
            storage.put(f"{folder}/previews/{position}.png", archive.read(name))
        for name in sorted(set(archive.namelist()) & set(CERTIFICATE.values())):
            storage.put(f"{folder}/{name}", archive.read(name))


def _shown(names: list[str]) -> list[str]:
    """The first images of each class, as the bundle holds them for the eye."""
    shown: dict[str, int] = {}
    found = []
    for name in names:
        folder, _, _ = name.rpartition("/")
        if name.startswith("images/") and shown.setdefault(folder, 0) < PREVIEWS_PER_CLASS:
            shown[folder] += 1
            found.append(name)
    return found
