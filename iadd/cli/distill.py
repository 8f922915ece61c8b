"""The command ``iadd distill``."""

from pathlib import Path
from typing import Annotated

import typer

from iadd.cli import common
from iadd.distillation.distill import distill as run_distill
from iadd.runtime.checkpoint import write_atomically
from iadd.trajectories.record import TrajectoryBuffer


def distill(
    source: common.Source,
    teachers: Annotated[Path, typer.Option(help="Folder that `iadd teach` wrote.")],
    out: Annotated[Path, typer.Option(help="File for the distilled set (safetensors).")],
    preset: common.PresetName = "cpu_small",
    settings: common.Settings = [],  # noqa: B006
    layout: common.Layout = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    """Learn the distilled images, the learning rate and the weights. Resumes when interrupted."""
    checkpoint = out.with_suffix(".checkpoint")
    with common.session(threads) as listener:
        config = common.read_config(preset, settings)
        images = common.load(source, config.image_size, layout)
        buffer = TrajectoryBuffer.open(teachers, config)
        distilled = run_distill(
            images,
            buffer,
            config,
            on_progress=listener,
            checkpoint=checkpoint,
            device=common.choose_device(device),
        )
    write_atomically(out, distilled.to_bytes())
    checkpoint.unlink(missing_ok=True)
    common.console.print(
        f"{len(distilled)} images of {len(distilled.classes)} classes in {out}, "
        f"from iteration {distilled.best_iteration}, learning rate {distilled.syn_lr:.4g}"
    )
