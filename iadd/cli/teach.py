"""The command ``iadd teach``."""

from pathlib import Path
from typing import Annotated

import typer

from iadd.cli import common
from iadd.trajectories.record import record_trajectories


def teach(
    source: common.Source,
    out: Annotated[Path, typer.Option(help="Folder for the trajectories; resumes if it has any.")],
    preset: common.PresetName = "cpu_small",
    settings: common.Settings = [],  # noqa: B006 — typer reads the default, nothing changes it
    layout: common.Layout = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    """Train the teachers and keep a snapshot per epoch."""
    with common.session(threads) as listener:
        config = common.read_config(preset, settings)
        images = common.load(source, config.image_size, layout)
        buffer = record_trajectories(
            images, config, out=out, on_progress=listener, device=common.choose_device(device)
        )
    common.console.print(f"{len(buffer)} teachers of {buffer.epochs} epochs in {out}")
