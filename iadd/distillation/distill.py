"""Algorithm 1: learns the distilled images, α and W."""

from dataclasses import replace
from pathlib import Path

import torch

from iadd.config import CONDENSING, Config, ConfigError
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.distiller import (
    CheckpointMismatchError,
    DistillationDivergedError,
    DistillationRun,
)
from iadd.dp.private_data import PrivateData
from iadd.evaluation.evaluator import choose_lr
from iadd.runtime.checkpoint import CHECKPOINT_SECONDS, CheckpointStore, CheckpointTimer, as_store
from iadd.runtime.device import watching_device
from iadd.runtime.precision import computing_at
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.trajectories.record import TrajectoryBuffer

__all__ = ["CheckpointMismatchError", "DistillationDivergedError", "distill"]


def distill(
    train: ImageSet | PrivateData,
    buffer: TrajectoryBuffer,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    checkpoint: Path | CheckpointStore | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    device: torch.device | str = "cpu",
) -> DistilledDataset:
    """Learn a distilled set (Algorithm 1).

    On CPU and at a fixed number of threads the result is the same to the bit, resumed or not.

    Args:
        train: Images of the ``train`` split (for the start) and of the ``validation`` split (to
            choose the best iteration; without any, the last is kept). Under ``privacy`` ``dp``
            they come behind their ledger, and nothing but a ``dp_mean`` start reads them.
        buffer: The teachers.
        config: Settings of the run.
        on_progress: Called after each iteration, with the metrics ``loss``, ``unweighted_loss``,
            ``syn_lr`` and, after an evaluation, ``validation_balanced_accuracy``. Its messages
            say how the run computes, when memory ran out and when W collapses.
        checkpoint: Store for the state; a run that finds a checkpoint there resumes from it.
        checkpoint_seconds: Time between two checkpoints, at least one iteration.
        device: Device to compute on.

    Raises:
        ConfigError: When ``privacy`` is ``dp`` and the images are not behind a ledger.
        BudgetExceededError: When the ledger's budget does not allow a ``dp_mean`` start.
        TooFewImagesError: When a class holds fewer images than its start needs.
        CheckpointMismatchError: When the checkpoint is of a run of other settings.
        DistillationDivergedError: When the loss is not finite. The last checkpoint is kept.
        OutOfMemoryError: When not even one image at a time fits. The last checkpoint is kept.
        DeviceLostError: When the GPU stops responding. The last checkpoint is kept.
    """
    listener, store, timer = (
        on_progress or ignore_progress,
        as_store(checkpoint),
        CheckpointTimer(checkpoint_seconds),
    )
    private = train.for_run(config.teacher_key()) if isinstance(train, PrivateData) else None
    images = train.without_images() if isinstance(train, PrivateData) else train
    if private is None and config.protection.privacy == "dp" and len(images):
        raise ConfigError(
            "Under privacy dp images are read through their ledger alone: pass PrivateData."
        )
    with computing_at(config.compute.precision), watching_device():
        saved = None if store is None else store.read()
        run = DistillationRun.start(images, buffer, config, device, private=private, saved=saved)
        if saved is not None:
            run.restore(saved)
        elif store is not None and config.distillation.initialisation == "dp_mean":
            store.write(run.to_bytes())
        validation = images.part("validation")

        def progress(metrics: dict[str, float], message: str | None = None) -> Progress:
            return Progress(
                phase="distilling",
                done=run.iteration,
                total=config.distillation.iterations,
                unit="iterations",
                metrics=metrics,
                message=message,
            )

        def emit_messages() -> None:
            while run.messages:
                listener(progress({}, run.messages.pop(0)))

        def notify() -> None:
            listener(progress({}))

        emit_messages()
        if run.iteration == 0 and not run.history.validation:
            run.choose(validation, notify)
        while run.iteration < config.distillation.iterations:
            metrics = run.iterate()
            if run.is_due_for_validation():
                metrics |= run.choose(validation, notify)
            if store is not None and run.iteration < config.distillation.iterations:
                timer.run_if_due(lambda: store.write(run.to_bytes()))
            emit_messages()
            listener(progress(metrics))
        result = run.result(train.classes)
        if config.distillation.method in CONDENSING and len(validation):
            # No student of these methods learned α: it is chosen as for real images.
            rate = choose_lr(result, images, config, on_progress=listener, device=device)
            result = replace(result, syn_lr=rate)
        return result
