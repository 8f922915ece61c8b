"""Writes what a distillation leaves behind: reports, certificate and bundle."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from app.core.storage import Storage
from iadd.bundle.bundle import tensors_sha256, write_bundle
from iadd.bundle.format import CERTIFICATE, json_file
from iadd.data.distilled_dataset import DistilledDataset
from iadd.dp.ledger import LedgerStore
from iadd.evaluation.noisy_score import NoisyScore
from iadd.privacy import PrivacyReport
from iadd.privacy.membership import TwinScores
from iadd.runtime.progress import Progress, ProgressListener
from iadd.runtime.seal import open_document
from worker.distillation.parts import parts_of
from worker.distillation.pipeline import load_images, private_images


def pack_results(
    storage: Storage,
    *,
    dataset: str,
    asked_on: str,
    counts: Mapping[str, Mapping[str, int]],
    split_by: str | None,
    randomness: Literal["secret", "published"],
    timings: Mapping[str, float],
    distilled: str,
    evaluation: str,
    privacy: str,
    folder: str,
    scratch: Path,
    on_progress: ProgressListener,
    images: str | None = None,
    twins: Sequence[str] = (),
    ledger: LedgerStore | None = None,
) -> dict[str, str]:
    """Write the reports, the certificate and the bundle. The same results give the same bytes.

    The internal report shows what the distilled images started from, where that was kept, and
    training images that resemble them; what is in the bundle does not. Of a `dp` run nothing exact
    is in the bundle either.

    Args:
        storage: Where everything lies.
        dataset: The dataset's name.
        asked_on: The day on which the distillation was requested, in ISO format.
        counts: Its images per class and split.
        split_by: What its split keeps together.
        randomness: ``secret`` where what touched the images was drawn from seeds that are published
            nowhere.
        timings: Seconds of work per phase.
        distilled: Key of the distilled set.
        evaluation: Key of the figures.
        privacy: Key of the audit.
        folder: Key prefix for the results.
        scratch: A folder on the local disk.
        on_progress: Called after each file.
        images: Key of the dataset's images, for the internal report; None leaves them out.
        twins: Keys of the scores of the repeated runs, for the internal report.
        ledger: Of the dataset; what a `dp` run reads is booked there.

    Returns:
        Name of the row's column and key of each file.
    """
    # Imported here: it brings matplotlib, and most tasks write no report.
    from worker.reports import (
        ReportSource,
        certificate_json,
        compose,
        compose_certificate,
        compose_proven,
        has_internal,
        proven_json,
        record_scores,
        render_html,
        render_pdf,
        report_json,
        software_versions,
    )

    utility = open_document(storage.get(evaluation))
    distilled_set = DistilledDataset.from_bytes(storage.get(distilled))
    config = distilled_set.config
    training, is_private = None, config.protection.privacy == "dp"
    if images is not None:
        private = private_images(storage, images=images, config=config, ledger=ledger)
        shown = private.for_internal_use("internal report") if private else None
        training = (shown or load_images(storage, images)).part("train")

    source = ReportSource(
        dataset=dataset,
        asked_on=asked_on,
        counts=counts,
        split_by=split_by,
        randomness=randomness,
        distilled=distilled_set,
        utility=utility,
        networks=utility.get("networks", {}),
        privacy=PrivacyReport.from_dict(open_document(storage.get(privacy))),
        timings=timings,
        versions=software_versions(),
        training=training,
        records=record_scores(
            [TwinScores.from_bytes(one) for key in twins for one in parts_of(storage.get(key))]
        ),
    )
    is_internal = has_internal(source)
    total = 9 if is_internal else 7
    keys: dict[str, str] = {}

    def store(column: str, name: str, content: bytes | Path) -> None:
        keys[column] = f"{folder}/{name}"
        storage.put(keys[column], content)
        done = len(keys) + (3 if column == "bundle_key" else 0)
        on_progress(Progress(phase="packaging", done=done, total=total, unit="files"))

    inside = report_json(source)
    if is_private:
        document = proven_json(source, NoisyScore.from_dict(utility["noisy_score"]))
        report = compose_proven(source, document)
    else:
        document = inside
        report = compose(source, document)
    store("report_json_key", "report.json", json.dumps(document, ensure_ascii=False).encode())
    page, paper = render_html(report), render_pdf(report)
    store("report_html_key", "report.html", page)
    store("report_pdf_key", "report.pdf", paper)
    if is_internal:
        internal = compose(source, inside, starts=True)
        store("internal_html_key", "internal/report.html", render_html(internal))
        store("internal_pdf_key", "internal/report.pdf", render_pdf(internal))
    certified = certificate_json(document, tensors_sha256=tensors_sha256(source.distilled))
    certificate = compose_certificate(certified)
    files = {
        CERTIFICATE["json"]: json_file(certified),
        CERTIFICATE["html"]: render_html(certificate),
        CERTIFICATE["pdf"]: render_pdf(certificate),
    }
    for number, (name, content) in enumerate(files.items(), len(keys) + 1):
        # No column names them: they lie beside the report.
        storage.put(f"{folder}/{name}", content)
        on_progress(Progress(phase="packaging", done=number, total=total, unit="files"))
    bundle = scratch / "bundle.zip"
    write_bundle(
        bundle,
        source.distilled,
        report_html=page,
        report_pdf=paper,
        report_json=document,
        certificate=files,
    )
    store("bundle_key", "bundle.zip", bundle)
    return keys
