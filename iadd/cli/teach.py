"""The command ``iadd teach``."""

from pathlib import Path
from typing import Annotated

import typer

from iadd.cli import common
from iadd.cli.private_seed import (
    PUBLISHED,
    SECRET,
    PublishedSeed,
    private_seed_path,
    with_randomness,
)
from iadd.trajectories.record import record_trajectories


def teach(
    source: common.Source,
    out: Annotated[Path, typer.Option(help="Folder for the trajectories; resumes if it has any.")],
    preset: common.PresetName = "cpu_small",
    settings: common.Settings = [],  # noqa: B006 — typer reads the default, nothing changes it
    layout: common.Layout = None,
    published_seed: PublishedSeed = False,
    ledger: common.LedgerFile = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    """Train the teachers and keep a snapshot per epoch.

    What touches the images is drawn from a private seed, kept in the folder for you alone to read.
    """
    with common.session(threads) as listener:
        config = common.read_config(preset, settings)
        # Read first: the folder may lie among the images.
        images = common.load(source, config.image_size, layout)
        config = with_randomness(
            config,
            private_seed_path(out),
            published=published_seed,
            begun=any(out.glob("teacher*")),
            anew="choose another folder",
        )
        where = common.choose_device(device)
        data = common.behind_ledger(images, config, source, ledger, where)
        buffer = record_trajectories(
            data,
            config,
            out=out,
            on_progress=listener,
            device=where,
        )
    common.console.print(f"{len(buffer)} teachers of {buffer.epochs} epochs in {out}")
    common.print_proof(data, config, buffer)
    common.console.print(PUBLISHED if published_seed else SECRET, highlight=False)
