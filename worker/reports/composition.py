"""Composes the report, once for all formats: every number is one of ``report.json``."""

from collections.abc import Mapping
from typing import Any

from iadd.bundle.format import RESEARCH_ONLY
from worker.reports import conclusions
from worker.reports.blocks import Report
from worker.reports.inputs import ReportSource
from worker.reports.sections import images, privacy, provenance, records, usage, utility

_INTERNAL = (
    "For use inside the organisation: this internal audit shows what the distilled images started "
    "from, patients' images beside them, or scores of single records, as far as they were kept. "
    "The report and the certificate in the bundle show none of these."
)


def compose(source: ReportSource, document: Mapping[str, Any], *, starts: bool = False) -> Report:
    """Put the report together.

    Args:
        source: Gives the images, and nothing else.
        document: ``report_json(source)``.
        starts: Compose the internal audit: with what the images started from, the nearest training
            images, and scores of single records, as far as the source has them. A report that
            leaves the organisation is composed without.
    """
    distilled = source.distilled
    size = document["settings"]["image_size"]
    is_internal = starts and has_internal(source)
    return Report(
        title=document["dataset"]["name"],
        date=document["asked_on"],
        facts=(
            f"{document['images_per_class']} images for each of {len(distilled.classes)} classes · "
            f"{size}×{size} pixels · preset {document['preset']} · "
            f"start {document['initialisation']} · seed {document['seed']}"
        ),
        internal=_INTERNAL if is_internal else None,
        notice=RESEARCH_ONLY,
        conclusions=conclusions.conclude(document),
        sections=[
            utility.section(document),
            images.section(document, source, inside=starts),
            privacy.section(document),
            *([records.section(document, source.records)] if is_internal else []),
            provenance.course(document),
            provenance.section(document),
            usage.section(document, tuple(distilled.images.shape)),
        ],
        colophon=(
            f"{RESEARCH_ONLY} Distilled by importance-aware adaptive dataset distillation (Li, "
            "Togo, Ogawa and Haseyama). The figures of this report are in report.json."
        ),
    )


def has_internal(source: ReportSource) -> bool:
    """Return whether there is anything that only an internal audit may show."""
    kept = source.distilled.initial_images is not None or source.training is not None
    return kept or bool(source.records)
