"""Steps of a distillation, between the row and the pipeline: keys in, keys and values out."""

from collections.abc import Callable, Sequence
from itertools import dropwhile

from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.datasets.repository import DatasetRepository
from app.distillations.audit_twins import UNFINISHED, AuditTwinRepository
from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TrajectorySetRepository
from app.ledgers.store import AUDITED_DISTILLATION, DatabaseLedgerStore, book_exact_reads
from app.models import (
    AuditTwin,
    Dataset,
    Distillation,
    DistillationStatus,
    Randomness,
    Teacher,
    TrajectorySet,
    TrajectorySetStatus,
    TwinStatus,
    Verdict,
)
from app.models.dataset import DRAWN_SPLITS
from app.models.distillation import new_private_seed
from iadd.config import Config, ConfigError
from iadd.presets import PRESETS
from worker.distillation import packing, pipeline
from worker.distillation.phases import Outcome, PhaseContext
from worker.distillation.secrets import audit_secret_of, private_seed_of


def images_key(dataset: Dataset) -> str:
    """Return the key of the dataset's images. Raises FileNotFoundError when they were deleted."""
    if dataset.images_key is None:
        raise FileNotFoundError(f"{dataset.id} has no images any more")
    return dataset.images_key


def settings_of(row: Distillation) -> Config:
    """Return the full settings of a run: those of its first start, or of the preset before that.

    They are public; `private_settings_of` adds the secret that images are drawn with.

    Raises:
        ConfigError: For an unknown preset, or settings that do not go together.
    """
    if row.settings is not None:
        return Config.from_dict(row.settings)
    preset = PRESETS.get(row.preset)
    if preset is None:
        raise ConfigError(f"There is no preset {row.preset!r}: choose {', '.join(PRESETS)}.")
    return preset().override(
        {
            **row.overrides,
            "images_per_class": row.images_per_class,
            "initialisation": row.initialisation,
            "seed": row.seed,
        }
    )


def private_settings_of(row: Distillation) -> Config:
    """Return the settings with the private seed, which nothing that is stored may hold.

    Raises:
        ConfigError: As `settings_of`.
        SeedForgottenError: When the run is finished.
    """
    return settings_of(row).with_private_seed(private_seed_of(row))


def first_missing_phase(row: Distillation) -> DistillationStatus:
    """Return the phase in which a run with teachers begins: a retry keeps what is finished."""
    if row.distilled_key is None:
        return DistillationStatus.DISTILLING
    if row.evaluation_key is None:
        return DistillationStatus.EVALUATING
    if row.privacy_key is None:
        return DistillationStatus.AUDITING
    return DistillationStatus.PACKAGING


def restartable_statuses(session: Session, distillation_id: str) -> Sequence[DistillationStatus]:
    """Return `teaching` as a status to start from too, where no teacher is left to advance it."""
    row = DistillationRepository(session).load(distillation_id)
    if row is None or row.trajectory_set_id is None:
        return ()
    trajectory_set = TrajectorySetRepository(session).load(row.trajectory_set_id)
    if trajectory_set is None or trajectory_set.status == TrajectorySetStatus.RECORDING:
        return ()
    return (DistillationStatus.TEACHING,)


def start(phase: PhaseContext) -> Callable[[Session], Outcome]:
    """Fix the settings, then wait for missing teachers, or go on where none is missing."""
    row = phase.row
    config = settings_of(row)
    images_key(phase.dataset)
    if config.protection.privacy != "dp":
        # Before the first read, also where the teachers are there already.
        book_exact_reads(
            phase.services.database, phase.dataset.id, run=row.id, purpose=AUDITED_DISTILLATION
        )
    lost, lost_teachers = _lost(phase) if row.attempt > 1 else ([], [])
    for name in lost:
        setattr(row, name, None)
    drawn: JsonObject = dict.fromkeys(lost)
    randomness = row.randomness
    if row.settings is None and randomness == Randomness.PUBLISHED:
        # Requested before there were private seeds, and nothing of it is drawn yet.
        randomness = Randomness.SECRET
        drawn |= {"private_seed": new_private_seed(), "randomness": randomness}

    def conclude(session: Session) -> Outcome:
        trajectory_sets = TrajectorySetRepository(session)
        # Locked until the commit: the last teacher either finds this row waiting, or is seen here.
        trajectory_set = trajectory_sets.find_or_add(
            row.dataset_id,
            teachers_key(config, randomness),
            config=config.to_dict(),
            teachers=config.teacher.teachers,
            randomness=randomness,
        )
        if lost_teachers:
            trajectory_sets.lose(trajectory_set.id, lost_teachers)
        values: JsonObject = {
            **drawn,
            "settings": config.to_dict(),
            "trajectory_set_id": trajectory_set.id,
            "started_at": row.started_at or utc_now(),
        }
        if trajectory_set.status == TrajectorySetStatus.READY:
            return Outcome(first_missing_phase(row), values, keep_checkpoint=True)
        trajectory_sets.reset_failed(trajectory_set.id)
        for teacher in trajectory_sets.unfinished(trajectory_set.id):
            enqueue_after_commit(session, Task.RECORD_TRAJECTORY, teacher.id)
        return Outcome(DistillationStatus.TEACHING, values, keep_checkpoint=True)

    return conclude


def _lost(phase: PhaseContext) -> tuple[list[str], list[str]]:
    """Find results that are named and are not stored any more, or not as they were.

    Returns:
        Columns of the row, each with those of the phases that follow from it; ids of teachers,
        where they are needed.
    """
    row, services = phase.row, phase.services
    names = ("distilled_key", "evaluation_key", "privacy_key")
    stored = [name for name in names if getattr(row, name) is not None]
    with services.scratch() as scratch:

        def is_lost(key: str) -> bool:
            return not pipeline.is_whole(services.storage, key, scratch=scratch)

        lost = list(dropwhile(lambda name: not is_lost(getattr(row, name)), stored))
        if stored != lost or row.trajectory_set_id is None:
            return lost, []
        with services.database.reading() as session:
            teachers = TrajectorySetRepository(session).teachers(row.trajectory_set_id)
        return lost, [one.id for one in teachers if one.object_key and is_lost(one.object_key)]


def teachers_key(config: Config, randomness: Randomness) -> str:
    """Return the key of the teachers of these settings on a dataset.

    Those that drew from the published seed serve only what goes on from before. Distillations of
    the same settings share their teachers also under differential privacy: the key covers ε and δ,
    the reads of these teachers are booked once under it, and what is computed from them costs no ε.
    """
    key = f"{config.teacher_key()}-{config.teacher.teachers}"
    return key if randomness == Randomness.PUBLISHED else f"{key}-secret"


def ledger_of(phase: PhaseContext) -> DatabaseLedgerStore:
    """Return the ledger of the dataset, where a `dp` run books its reads."""
    return DatabaseLedgerStore(phase.services.database, phase.dataset.id)


def distill(phase: PhaseContext) -> Outcome:
    """Distill from the teachers, from the last checkpoint on."""
    # All teachers are done. One that died right after its end has left its checkpoint.
    phase.services.storage.delete_folder(f"trajectories/{phase.row.trajectory_set_id}/partial")
    key = f"distillations/{phase.row.id}/distilled.safetensors"
    with phase.services.scratch() as scratch:
        pipeline.distill_images(
            phase.services.storage,
            phase.services.worker_settings,
            images=images_key(phase.dataset),
            config=private_settings_of(phase.row),
            trajectories=_trajectories(phase),
            result=key,
            scratch=scratch,
            checkpoints=phase.checkpoints,
            on_progress=phase.progress,
            ledger=ledger_of(phase),
        )
    return Outcome(DistillationStatus.EVALUATING, {"distilled_key": key})


def _trajectories(phase: PhaseContext) -> list[str]:
    """Return the keys of the run's teachers, in their order."""
    assert phase.row.trajectory_set_id is not None, "only `start` leads here"
    with phase.services.database.reading() as session:
        teachers = TrajectorySetRepository(session).teachers(phase.row.trajectory_set_id)
    return [_stored(teacher) for teacher in teachers]


def evaluate(phase: PhaseContext) -> Outcome:
    """Measure the utility of the distilled set, beside its two baselines."""
    key = f"distillations/{phase.row.id}/evaluation.json"
    figures = pipeline.evaluate_images(
        phase.services.storage,
        phase.services.worker_settings,
        images=images_key(phase.dataset),
        config=private_settings_of(phase.row),
        distilled=_stored_key(phase.row, "distilled_key"),
        result=key,
        checkpoints=phase.checkpoints,
        on_progress=phase.progress,
        ledger=ledger_of(phase),
    )
    if "noisy_score" in figures:
        metrics = {"noisy_accuracy": figures["noisy_score"]["accuracy"]}
    else:
        metrics = {
            f"balanced_accuracy_{name}": figures[name]["balanced_accuracy"]["mean"]
            for name in ("distilled", "random", "full")
        }
    return Outcome(
        DistillationStatus.AUDITING,
        {"evaluation_key": key, "metrics": {**phase.row.metrics, **metrics}},
    )


def audit(phase: PhaseContext) -> Outcome | Callable[[Session], Outcome]:
    """Wait for the repetitions, where some are wanted; then attack, and reach a verdict."""
    row, services = phase.row, phase.services
    config = settings_of(row)
    runs, is_private = 0, config.protection.privacy == "dp"
    # What a private run reveals is bounded by its proof, and repetitions would be paid for.
    if config.audit.audit_test_runs and not is_private:
        runs = pipeline.repetitions(
            services.storage, images=images_key(phase.dataset), config=config
        )
    with services.database.reading() as session:
        twins = AuditTwinRepository(session).of(row.id)
        datasets = DatasetRepository(session)
        attempts = DistillationRepository(session).count_audits(datasets.versions_of(phase.dataset))
    if runs and (not twins or any(twin.status != TwinStatus.DONE for twin in twins)):
        return lambda session: _repeat(session, row.id, runs)
    for twin in twins:
        # A worker that died right after its end has left what it went on from.
        services.storage.delete_folder(f"distillations/{row.id}/twins/{twin.number:04d}")
    key = f"distillations/{row.id}/privacy.json"
    with services.scratch() as scratch:
        report = pipeline.audit_images(
            services.storage,
            services.worker_settings,
            images=images_key(phase.dataset),
            config=private_settings_of(row),
            distilled=_stored_key(row, "distilled_key"),
            trajectories=_trajectories(phase),
            twins=[_scores(twin) for twin in twins],
            secret=audit_secret_of(row),
            random_split=phase.dataset.split_by in DRAWN_SPLITS,
            attempts=attempts + 1,
            result=key,
            scratch=scratch,
            on_progress=phase.progress,
            ledger=ledger_of(phase),
        )
    # Of a private run others see the proof alone: what was measured would be a read without noise.
    verdict = Verdict(report.verdict)
    if report.proof is not None:
        verdict = Verdict.PROVEN if report.proof.holds else Verdict.REFUTED
    return Outcome(DistillationStatus.PACKAGING, {"privacy_key": key, "verdict": verdict})


def _repeat(session: Session, distillation_id: str, runs: int) -> Outcome:
    """Send the repetitions that are missing; where none is, the audit itself."""
    repository = AuditTwinRepository(session)
    repository.find_or_add(distillation_id, runs)
    repository.reset_failed(distillation_id)
    missing = [twin for twin in repository.of(distillation_id) if twin.status in UNFINISHED]
    for twin in missing:
        enqueue_after_commit(session, Task.RUN_TWINS, twin.id)
    return Outcome(DistillationStatus.AUDITING, {}, waits=bool(missing))


def _scores(twin: AuditTwin) -> str:
    if twin.object_key is None:
        raise FileNotFoundError(f"the scores of {twin.id} are not stored any more")
    return twin.object_key


def _randomness(session: Session, row: Distillation) -> Randomness:
    """Return whether all that touched the images was drawn from secrets, the teachers too."""
    taught_by = row.trajectory_set_id
    trajectory_set = None if taught_by is None else session.get(TrajectorySet, taught_by)
    taught = Randomness.PUBLISHED if trajectory_set is None else trajectory_set.randomness
    return row.randomness if taught == Randomness.SECRET else Randomness.PUBLISHED


def package(phase: PhaseContext) -> Outcome:
    """Write the report and the bundle."""
    row = phase.row
    with phase.services.database.reading() as session:
        randomness = _randomness(session, row)
        twins = AuditTwinRepository(session).of(row.id)
    with phase.services.scratch() as scratch:
        keys = packing.pack_results(
            phase.services.storage,
            dataset=phase.dataset.name,
            # The one of its times that a second try does not change.
            asked_on=row.created_at.date().isoformat(),
            counts=phase.dataset.classes or {},
            split_by=phase.dataset.split_by,
            # Without its own: a second try would make another bundle of the same results.
            timings={name: s for name, s in row.timings.items() if name != row.status},
            randomness="secret" if randomness == Randomness.SECRET else "published",
            distilled=_stored_key(row, "distilled_key"),
            evaluation=_stored_key(row, "evaluation_key"),
            privacy=_stored_key(row, "privacy_key"),
            folder=f"distillations/{row.id}",
            scratch=scratch,
            on_progress=phase.progress,
            images=images_key(phase.dataset),
            twins=[_scores(twin) for twin in twins],
            ledger=ledger_of(phase),
        )
    return Outcome(DistillationStatus.READY, dict(keys))


def _stored(teacher: Teacher) -> str:
    if teacher.object_key is None:
        raise FileNotFoundError(f"the trajectory of {teacher.id} is not stored any more")
    return teacher.object_key


def _stored_key(row: Distillation, name: str) -> str:
    key: str | None = getattr(row, name)
    if key is None:
        raise FileNotFoundError(f"{row.id} has no {name} any more")
    return key
