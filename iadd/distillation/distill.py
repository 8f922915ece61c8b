"""Algorithm 1: learning the distilled images, α and W."""

from pathlib import Path

import torch

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.distiller import (
    CheckpointMismatchError,
    DistillationDivergedError,
    DistillationRun,
)
from iadd.runtime.checkpoint import CHECKPOINT_SECONDS, CheckpointStore, Pacer, as_store
from iadd.runtime.device import watching_device
from iadd.runtime.precision import computing_at
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.trajectories.record import TrajectoryBuffer

__all__ = ["CheckpointMismatchError", "DistillationDivergedError", "distill"]


def distill(
    train: ImageSet,
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
        train: Images of the ``train`` split (for the start) and of the ``validation`` split (by
            which the best iteration is chosen; without any, the last is kept).
        buffer: The teachers.
        config: Settings of the run.
        on_progress: Called after each iteration, with the metrics ``loss``, ``unweighted_loss``,
            ``syn_lr`` and, after an evaluation, ``validation_balanced_accuracy``. Its messages
            tell how it computes, when memory ran out and when W collapses.
        checkpoint: Where to leave the state; a run that finds one there goes on from it.
        checkpoint_seconds: Time between two checkpoints, at least one iteration.
        device: Where to compute.

    Raises:
        TooFewImagesError: When a class holds fewer images than its start needs.
        CheckpointMismatchError: When the checkpoint is of a run of other settings.
        DistillationDivergedError: When the loss stops being a number. The last checkpoint stays.
        OutOfMemoryError: When even one image at a time does not fit. The last checkpoint stays.
        DeviceLostError: When the GPU stops answering. The last checkpoint stays.
    """
    listener, store, pacer = (
        on_progress or ignore_progress,
        as_store(checkpoint),
        Pacer(checkpoint_seconds),
    )
    with computing_at(config.compute.precision), watching_device():
        run = DistillationRun.start(train, buffer, config, device)
        if store is not None and (data := store.read()) is not None:
            run.restore(data)
        validation = train.part("validation")

        def progress(metrics: dict[str, float], message: str | None = None) -> Progress:
            return Progress(
                phase="distilling",
                done=run.iteration,
                total=config.distillation.iterations,
                unit="iterations",
                metrics=metrics,
                message=message,
            )

        def tell() -> None:
            while run.messages:
                listener(progress({}, run.messages.pop(0)))

        def beat() -> None:
            listener(progress({}))

        tell()
        if run.iteration == 0 and not run.history.validation:
            run.choose(validation, beat)
        while run.iteration < config.distillation.iterations:
            metrics = run.iterate()
            if run.is_due_for_validation():
                metrics |= run.choose(validation, beat)
            if store is not None and run.iteration < config.distillation.iterations:
                pacer.run_if_due(lambda: store.write(run.to_bytes()))
            tell()
            listener(progress(metrics))
        return run.result(train.classes)
