"""Composes the report, once for all formats: every number is one of ``report.json``."""

from collections.abc import Mapping
from typing import Any

from iadd.bundle.format import RESEARCH_ONLY
from worker.reports import conclusions
from worker.reports.blocks import Report
from worker.reports.inputs import ReportSource
from worker.reports.sections import images, privacy, provenance, usage, utility

_INTERNAL = (
    "For use inside the organisation: this report shows what the distilled images started from. "
    "The report in the bundle does not."
)


def compose(source: ReportSource, document: Mapping[str, Any], *, starts: bool = False) -> Report:
    """Put the report together.

    Args:
        source: Gives the images, and nothing else.
        document: ``report_json(source)``.
        starts: Show what the images started from, which may be patients' images: for readers
            inside the organisation. A report that leaves it is composed without.
    """
    distilled = source.distilled
    size = document["settings"]["image_size"]
    shows_starts = starts and distilled.initial_images is not None
    return Report(
        title=document["dataset"]["name"],
        date=document["asked_on"],
        facts=(
            f"{document['images_per_class']} images for each of {len(distilled.classes)} classes · "
            f"{size}×{size} pixels · preset {document['preset']} · "
            f"start {document['initialisation']} · seed {document['seed']}"
        ),
        internal=_INTERNAL if shows_starts else None,
        notice=RESEARCH_ONLY,
        conclusions=conclusions.conclude(document),
        sections=[
            utility.section(document),
            images.section(document, distilled, starts=starts),
            privacy.section(document),
            provenance.course(document),
            provenance.section(document),
            usage.section(document, tuple(distilled.images.shape)),
        ],
        colophon=(
            f"{RESEARCH_ONLY} Distilled by importance-aware adaptive dataset distillation (Li, "
            "Togo, Ogawa and Haseyama). The figures of this report are in report.json."
        ),
    )
