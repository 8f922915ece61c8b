"""Computation of each step: load from storage, call iadd, store; free of rows and leases.

A step stores its result under a key that follows from ids alone, and the result is the same on
each worker. So a step that runs twice replaces its own result.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from app.core.storage import Storage
from app.core.types import JsonObject
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.distillation.initialisation import contributors
from iadd.dp.ledger import Ledger, LedgerStore
from iadd.dp.private_data import PrivateData
from iadd.evaluation.evaluator import (
    evaluate,
    evaluate_across,
    evaluate_full,
    evaluate_random,
    evaluate_start,
)
from iadd.evaluation.noisy_score import noisy_accuracy
from iadd.forecast.arithmetic import Job, figure_seconds
from iadd.forecast.nominal import nominal_benchmark
from iadd.privacy import PrivacyReport, audit
from iadd.privacy.membership import (
    TwinScores,
    attack_shipped_run,
    decide,
    plan_audit,
    run_twins,
)
from iadd.privacy.one_run_audit import OneRunAudit, audit_teachers
from iadd.privacy.proof import proof_of
from iadd.runtime.checkpoint import CheckpointStore
from iadd.runtime.progress import Progress, ProgressListener
from iadd.runtime.seal import DamagedError, expect_intact_file, open_document, sealed_document
from iadd.trajectories.record import TrajectoryBuffer, record_trajectory, trajectory_path
from worker.device import choose_device
from worker.distillation.parts import joined, parts_of
from worker.settings import WorkerSettings


def load_images(storage: Storage, key: str) -> ImageSet:
    """Load the images of a dataset, all splits. Raises FileNotFoundError when they were deleted."""
    return ImageSet.from_bytes(storage.get(key))


def is_whole(storage: Storage, key: str, *, scratch: Path) -> bool:
    """Return whether an object is there, and as it was stored."""
    copy = scratch / "copy"
    try:
        storage.download(key, copy)
        if key.endswith(".json"):
            open_document(copy.read_bytes())
        else:
            expect_intact_file(copy)
    except (FileNotFoundError, DamagedError):
        return False
    return True


def private_images(
    storage: Storage,
    *,
    images: str,
    config: Config,
    ledger: LedgerStore | None,
    device: torch.device | str = "cpu",
) -> PrivateData | None:
    """Load the images of a `dp` run behind the ledger of their dataset; None for other runs.

    Raises:
        FileNotFoundError: When they were deleted.
        DamagedError: When they are not as they were stored.
        RuntimeError: When a `dp` run comes without a ledger.
    """
    if config.protection.privacy != "dp":
        return None
    if ledger is None:
        raise RuntimeError("a run under differential privacy reads nothing without a ledger")
    return PrivateData(
        load_images(storage, images),
        Ledger(ledger),
        run=config.teacher_key(),
        declared_units=config.protection.declared_patients,
        device=device,
    )


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
    ledger: LedgerStore | None = None,
) -> None:
    """Record one trajectory from the images under one key, and store it under another.

    Under `privacy` `dp` each read is booked in `ledger` before it happens.
    """
    private = private_images(storage, images=images, config=config, ledger=ledger)
    path = record_trajectory(
        private or load_images(storage, images),
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
    ledger: LedgerStore | None = None,
) -> None:
    """Distill from the trajectories under these keys, in the order of their teachers.

    Under `privacy` `dp` no image is read but by a `dp_mean` start, through `ledger`.
    """
    buffer = _download_teachers(storage, trajectories, config, scratch=scratch)
    private = private_images(storage, images=images, config=config, ledger=ledger)
    distilled = distill(
        private or load_images(storage, images),
        buffer,
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
    ledger: LedgerStore | None = None,
) -> JsonObject:
    """Evaluate the distilled set, its start, as many random images, and the full set.

    Each is a checkpoint. Distilled and random images are evaluated with other networks too. Under
    `privacy` `dp` the figures are exact and stay inside, but for the noisy one, which comes first
    and is paid for.

    Returns:
        The stored figures: under `distilled`, `start`, `random` and `full` `Evaluation.to_dict()`
        and `roc`; by other network under `networks`: `Evaluation.to_dict()` as `distilled` and
        `random`; and under `noisy_score` `NoisyScore.to_dict()` of a `dp` run.
    """
    distilled_set = DistilledDataset.from_bytes(storage.get(distilled))
    device = choose_device(settings)
    figures: JsonObject = open_document(checkpoints.read() or b"{}")
    private = private_images(storage, images=images, config=config, ledger=ledger, device=device)
    if private is None:
        image_set = load_images(storage, images)
    else:
        if "noisy_score" not in figures:
            score = noisy_accuracy(distilled_set, private, config, device=device)
            figures["noisy_score"] = score.to_dict()
            checkpoints.write(sealed_document(figures))
        image_set = private.for_internal_use("exact evaluation")
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
    if distilled_set.initial_images is not None:
        calls["", "start"] = partial(evaluate_start, distilled_set, image_set, config)
    for other in config.other_networks():
        on_other = config.across(other)
        calls[other, "distilled"] = partial(evaluate_across, distilled_set, image_set, on_other)
        calls[other, "random"] = partial(evaluate_random, image_set, on_other)
    total, before = sum(work[call] for call in calls), 0.0
    for (network, name), measure in calls.items():
        place = figures.setdefault("networks", {}).setdefault(network, {}) if network else figures
        share = work[network, name]
        if name not in place:
            listener = _share(on_progress, before=before / total, share=share / total)
            found = measure(on_progress=listener, device=device)
            # The report draws curves of the first three alone.
            place[name] = found.to_dict() | ({} if network else {"roc": found.roc_curves()})
            checkpoints.write(sealed_document(figures))
        before += share
    storage.put(result, sealed_document(figures))
    return figures


def repetitions(storage: Storage, *, images: str, config: Config) -> int:
    """Count the repetitions that the audit of a run needs; 0 where it can have none."""
    plan = plan_audit(load_images(storage, images), config)
    return plan.calibration_runs + plan.test_runs


def repeat(
    storage: Storage,
    settings: WorkerSettings,
    *,
    images: str,
    config: Config,
    numbers: Sequence[int],
    secret: int,
    result: str,
    scratch: Path,
    save: Callable[[], None],
    on_progress: ProgressListener,
) -> None:
    """Repeat the whole run, with each audit unit in or out, and store the scores of each run.

    Args:
        storage: Where everything lies.
        settings: Of the worker.
        images: Key of the dataset's images.
        config: Settings of the run that is audited.
        numbers: Of the repetitions.
        secret: What they draw follows from it and their number.
        result: Key for their scores.
        scratch: A folder with what an earlier try computed.
        save: Keeps that folder; called after each report.
        on_progress: Called with the progress.
    """

    def listen(progress: Progress) -> None:
        on_progress(progress)
        save()

    twins = run_twins(
        load_images(storage, images),
        config,
        numbers,
        secret=secret,
        scratch=scratch,
        on_progress=listen,
        checkpoint_seconds=settings.checkpoint_seconds,
        device=choose_device(settings),
    )
    storage.put(result, joined([twin.to_bytes() for twin in twins]))


def audit_images(
    storage: Storage,
    settings: WorkerSettings,
    *,
    images: str,
    config: Config,
    distilled: str,
    trajectories: Sequence[str],
    twins: Sequence[str],
    secret: int,
    random_split: bool,
    attempts: int,
    result: str,
    scratch: Path,
    on_progress: ProgressListener,
    ledger: LedgerStore | None = None,
) -> PrivacyReport:
    """Audit what the distilled images leak of the images they were made from.

    The report of a `dp` run has its proof, and stays inside: what was measured is exact.

    Args:
        storage: Where everything lies.
        settings: Of the worker.
        images: Key of the dataset's images.
        config: Settings of the run, with its private seed: the audit asks for the images that were
            drawn.
        distilled: Key of the distilled set.
        trajectories: Keys of its teachers; those of a `dp` run hold their canaries.
        twins: Keys of the scores of its repetitions, in their order; empty without.
        secret: What the attacks draw follows from it.
        random_split: Whether the test images are left out by chance, so that the run itself is one
            test of the attacks.
        attempts: Audits of this dataset so far, this one included.
        result: Key for the report.
        scratch: An empty folder.
        on_progress: Called with the progress, in percent.
        ledger: Of the dataset; what a `dp` run reads is booked there.

    Raises:
        ProofVoidError: When the ledger proves nothing of a `dp` run.
    """
    private = private_images(storage, images=images, config=config, ledger=ledger)
    proof = None
    if private is None:
        image_set = load_images(storage, images)
    else:
        proof = proof_of(
            private.ledger,
            config,
            unit=private.unit,
            audited=_audited_teachers(storage, trajectories, config, scratch=scratch),
        )
        image_set = private.for_internal_use("audit")
    distilled_set = DistilledDataset.from_bytes(storage.get(distilled))
    if config.distillation.image_format != "float" and not distilled_set.is_on_grey_levels:
        raise RuntimeError("the distilled images are between the grey levels of their format")
    distilled_set = replace(distilled_set, config=config)
    limit = config.audit.audit_leak_limit
    membership = [
        attack_shipped_run(
            distilled_set,
            image_set,
            secret=secret,
            random_split=random_split,
            limit=limit,
            on_progress=_share(on_progress, before=0, share=0.5),
            device=choose_device(settings),
        )
    ]
    if twins:
        scores = [TwinScores.from_bytes(one) for key in twins for one in parts_of(storage.get(key))]
        membership.append(decide(scores, plan_audit(image_set, config), limit=limit))
    report = audit(
        distilled_set,
        image_set,
        membership=membership,
        proof=proof,
        attempts=attempts,
        random_split=random_split,
        contributors=_contributors(image_set.part("train"), config),
        on_progress=_share(on_progress, before=0.5, share=0.5),
    )
    storage.put(result, sealed_document(report.to_dict()))
    return report


def _audited_teachers(
    storage: Storage, trajectories: Sequence[str], config: Config, *, scratch: Path
) -> OneRunAudit | None:
    """Bound the teachers' ε from below by their canaries; None without any."""
    if config.protection.canaries == 0:
        return None
    buffer = _download_teachers(storage, trajectories, config, scratch=scratch)
    return audit_teachers(buffer, delta=config.protection.delta)


def _download_teachers(
    storage: Storage, trajectories: Sequence[str], config: Config, *, scratch: Path
) -> TrajectoryBuffer:
    for teacher, key in enumerate(trajectories):
        path = trajectory_path(scratch, teacher)
        storage.download(key, path)
        expect_intact_file(path)
    return TrajectoryBuffer.open(scratch, config)


def _contributors(train: ImageSet, config: Config) -> Tensor | None:
    """Return the images that starts were made of; None where teachers had a say in the draw."""
    if config.distillation.start_from == "correct":
        return None
    found = contributors(train, config)
    return None if found is None else found.flatten().unique()


def _share(listener: ProgressListener, *, before: float, share: float) -> ProgressListener:
    """Report a part of the work as a part of the whole, in percent."""

    def listen(progress: Progress) -> None:
        done = before + share * progress.done / progress.total
        listener(replace(progress, done=int(100 * done), total=100, unit="percent"))

    return listen
