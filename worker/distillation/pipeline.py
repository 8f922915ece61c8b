"""Computation of each step: load from storage, call iadd, store; free of rows and leases.

A step stores its result under a key that follows from ids alone, and the result is the same on
each worker. So a step that runs twice replaces its own result.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.core.storage import Storage
from app.core.types import JsonObject
from iadd.bundle.bundle import write_bundle
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.evaluation.evaluator import evaluate, evaluate_across, evaluate_full, evaluate_random
from iadd.forecast.arithmetic import Job, figure_seconds
from iadd.forecast.nominal import nominal_benchmark
from iadd.privacy import PrivacyReport, audit
from iadd.runtime.checkpoint import CheckpointStore
from iadd.runtime.progress import Progress, ProgressListener
from iadd.trajectories.record import TrajectoryBuffer, record_trajectory, trajectory_path
from worker.device import choose_device
from worker.settings import WorkerSettings


def load_images(storage: Storage, key: str) -> ImageSet:
    """Load the images of a dataset, all splits. Raises FileNotFoundError when they were deleted."""
    return ImageSet.from_bytes(storage.get(key))


def teach(
    storage: Storage,
    settings: WorkerSettings,
    *,
    images: str,
    config: Config,
    teacher: int,
    result: str,
    scratch: Path,
    partials: CheckpointStore,
    on_progress: ProgressListener,
) -> None:
    """Record one trajectory from the images under one key, and store it under another."""
    path = record_trajectory(
        load_images(storage, images),
        config,
        teacher,
        out=scratch,
        on_progress=on_progress,
        checkpoint=partials,
        checkpoint_seconds=settings.checkpoint_seconds,
        device=choose_device(settings),
    )
    storage.put(result, path)


def distill_images(
    storage: Storage,
    settings: WorkerSettings,
    *,
    images: str,
    config: Config,
    trajectories: Sequence[str],
    result: str,
    scratch: Path,
    checkpoints: CheckpointStore,
    on_progress: ProgressListener,
) -> None:
    """Distill from the trajectories under these keys, in the order of their teachers."""
    for teacher, key in enumerate(trajectories):
        storage.download(key, trajectory_path(scratch, teacher))
    distilled = distill(
        load_images(storage, images),
        TrajectoryBuffer.open(scratch, config),
        config,
        on_progress=on_progress,
        checkpoint=checkpoints,
        checkpoint_seconds=settings.checkpoint_seconds,
        device=choose_device(settings),
    )
    storage.put(result, distilled.to_bytes())


def evaluate_images(
    storage: Storage,
    settings: WorkerSettings,
    *,
    images: str,
    config: Config,
    distilled: str,
    result: str,
    checkpoints: CheckpointStore,
    on_progress: ProgressListener,
) -> JsonObject:
    """Evaluate the distilled set, as many random images, and the full set; each is a checkpoint.

    The first two are evaluated with each of the other networks too.

    Returns:
        The stored figures: under `distilled`, `random` and `full` `Evaluation.to_dict()` and `roc`;
        and by other network under `networks`: `Evaluation.to_dict()` as `distilled` and `random`.
    """
    image_set = load_images(storage, images)
    distilled_set = DistilledDataset.from_bytes(storage.get(distilled))
    device = choose_device(settings)
    train, validation, test = (len(image_set.part(s)) for s in ("train", "validation", "test"))
    job = Job(
        config=config,
        classes=len(image_set.classes),
        train=train,
        per_epoch=train,
        validation=validation,
        test=test,
    )
    work = figure_seconds(nominal_benchmark(config), job)
    calls = {
        ("", "distilled"): partial(evaluate, distilled_set, image_set, config),
        ("", "random"): partial(evaluate_random, image_set, config),
        ("", "full"): partial(evaluate_full, image_set, config),
    }
    for other in config.other_networks():
        on_other = config.across(other)
        calls[other, "distilled"] = partial(evaluate_across, distilled_set, image_set, on_other)
        calls[other, "random"] = partial(evaluate_random, image_set, on_other)
    total, before = sum(work.values()), 0.0
    figures: JsonObject = json.loads(checkpoints.read() or "{}")
    for (network, name), measure in calls.items():
        place = figures.setdefault("networks", {}).setdefault(network, {}) if network else figures
        share = work[network, name]
        if name not in place:
            listener = _share(on_progress, before=before / total, share=share / total)
            found = measure(on_progress=listener, device=device)
            # The report draws curves of the first three alone.
            place[name] = found.to_dict() | ({} if network else {"roc": found.roc_curves()})
            checkpoints.write(json.dumps(figures).encode())
        before += share
    storage.put(result, json.dumps(figures).encode())
    return figures


def audit_images(
    storage: Storage,
    *,
    images: str,
    distilled: str,
    result: str,
    on_progress: ProgressListener,
) -> PrivacyReport:
    """Audit what the distilled images leak of the images they were made from."""
    report = audit(
        DistilledDataset.from_bytes(storage.get(distilled)),
        load_images(storage, images),
        on_progress=on_progress,
    )
    storage.put(result, json.dumps(report.to_dict()).encode())
    return report


def pack_results(
    storage: Storage,
    *,
    dataset: str,
    asked_on: str,
    counts: Mapping[str, Mapping[str, int]],
    split_by: str | None,
    timings: Mapping[str, float],
    distilled: str,
    evaluation: str,
    privacy: str,
    folder: str,
    scratch: Path,
    on_progress: ProgressListener,
) -> dict[str, str]:
    """Write the reports and the bundle. The same stored results give the same bytes.

    The internal report shows what the distilled images started from, where that was kept; the
    other one, which is in the bundle too, does not.

    Args:
        storage: Where everything lies.
        dataset: The dataset's name.
        asked_on: The day on which the distillation was requested, in ISO format.
        counts: Its images per class and split.
        split_by: What its split keeps together.
        timings: Seconds of work per phase.
        distilled: Key of the distilled set.
        evaluation: Key of the figures.
        privacy: Key of the audit.
        folder: Key prefix for the results.
        scratch: A folder on the local disk.
        on_progress: Called after each file.

    Returns:
        Name of the row's column and key of each file.
    """
    # Imported here: it brings matplotlib, and most tasks write no report.
    from worker.reports import (
        ReportSource,
        compose,
        render_html,
        render_pdf,
        report_json,
        software_versions,
    )

    utility = json.loads(storage.get(evaluation))
    source = ReportSource(
        dataset=dataset,
        asked_on=asked_on,
        counts=counts,
        split_by=split_by,
        distilled=DistilledDataset.from_bytes(storage.get(distilled)),
        utility=utility,
        networks=utility.get("networks", {}),
        privacy=PrivacyReport.from_dict(json.loads(storage.get(privacy))),
        timings=timings,
        versions=software_versions(),
    )
    keeps_starts = source.distilled.initial_images is not None
    total = 6 if keeps_starts else 4
    keys: dict[str, str] = {}

    def store(column: str, name: str, content: bytes | Path) -> None:
        keys[column] = f"{folder}/{name}"
        storage.put(keys[column], content)
        on_progress(Progress(phase="packaging", done=len(keys), total=total, unit="files"))

    document = report_json(source)
    store("report_json_key", "report.json", json.dumps(document, ensure_ascii=False).encode())
    report = compose(source, document)
    page, paper = render_html(report), render_pdf(report)
    store("report_html_key", "report.html", page)
    store("report_pdf_key", "report.pdf", paper)
    if keeps_starts:
        internal = compose(source, document, starts=True)
        store("internal_html_key", "internal/report.html", render_html(internal))
        store("internal_pdf_key", "internal/report.pdf", render_pdf(internal))
    bundle = scratch / "bundle.zip"
    write_bundle(bundle, source.distilled, report_html=page, report_pdf=paper, report_json=document)
    store("bundle_key", "bundle.zip", bundle)
    return keys


def _share(listener: ProgressListener, *, before: float, share: float) -> ProgressListener:
    """Report a part of the work as a part of the whole, in percent."""

    def listen(progress: Progress) -> None:
        done = before + share * progress.done / progress.total
        listener(replace(progress, done=int(100 * done), total=100, unit="percent"))

    return listen
