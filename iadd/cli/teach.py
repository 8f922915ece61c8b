"""The command ``iadd teach``."""

from pathlib import Path
from typing import Annotated

import typer

from iadd.cli.common import (
    Device,
    PresetName,
    Settings,
    Source,
    Threads,
    choose_device,
    console,
    read_config,
    session,
)
from iadd.data.loading import load_images
from iadd.trajectories.record import record_trajectories


def teach(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for the trajectories; resumes if it has any.")],
    preset: PresetName = "cpu_small",
    settings: Settings = [],  # noqa: B006 — typer reads the default, nothing changes it
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train the teachers and keep a snapshot per epoch."""
    with session(threads) as listener:
        config = read_config(preset, settings)
        images = load_images(source, config.image_size)
        buffer = record_trajectories(
            images, config, out=out, on_progress=listener, device=choose_device(device)
        )
    console.print(f"{len(buffer)} teachers of {buffer.epochs} epochs in {out}")
