"""Composes the report, once for all formats: every number is one of ``report.json``."""

from collections.abc import Mapping, Sequence
from typing import Any

from iadd.bundle.card import title_of
from iadd.bundle.format import RESEARCH_ONLY
from worker.reports import conclusions
from worker.reports.blocks import Conclusion, Report, Section
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
    is_internal = starts and has_internal(source)
    return assemble(
        source,
        document,
        internal=_INTERNAL if is_internal else None,
        answers=conclusions.conclude(document),
        sections=[
            utility.section(document),
            images.section(document, source, inside=starts),
            privacy.section(document),
            *([records.section(document, source.records)] if is_internal else []),
        ],
    )


def assemble(
    source: ReportSource,
    document: Mapping[str, Any],
    *,
    answers: Sequence[Conclusion],
    sections: Sequence[Section],
    internal: str | None = None,
    method: str = "",
) -> Report:
    """Put conclusions and sections between the title, which every report has, and the end.

    Args:
        source: Gives the shape of the images, and the dataset's name to what stays inside.
        document: The report's document.
        answers: The conclusions, which stand first.
        sections: What was measured; course, provenance and usage follow.
        internal: Words that keep the report inside; None where it may leave.
        method: What is added to the method's name, with a space before it.
    """
    distilled = source.distilled
    size = document["settings"]["image_size"]
    return Report(
        title=title_of(document["dataset"]["classes"]) if internal is None else source.dataset,
        date=document["asked_on"],
        facts=(
            f"{document['images_per_class']} images for each of {len(distilled.classes)} classes · "
            f"{size}×{size} pixels · preset {document['preset']} · "
            f"start {document['initialisation']} · seed {document['seed']}"
        ),
        internal=internal,
        notice=RESEARCH_ONLY,
        conclusions=list(answers),
        sections=[
            *sections,
            provenance.course(document),
            provenance.section(document),
            usage.section(document, tuple(distilled.images.shape)),
        ],
        colophon=(
            f"{RESEARCH_ONLY} Distilled by importance-aware adaptive dataset distillation (Li, "
            f"Togo, Ogawa and Haseyama){method}. The figures of this report are in report.json."
        ),
    )


def has_internal(source: ReportSource) -> bool:
    """Return whether there is anything that only an internal audit may show."""
    kept = source.distilled.initial_images is not None or source.training is not None
    return kept or bool(source.records)
