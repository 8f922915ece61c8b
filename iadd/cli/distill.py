"""The command ``iadd distill``."""

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
    published_seed: PublishedSeed = False,
    ledger: common.LedgerFile = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    """Learn the distilled images, the learning rate and the weights. Resumes when interrupted.

    What touches the images is drawn from the private seed of the teachers. Where they have none,
    one is kept beside the checkpoint until the set is finished.
    """
    checkpoint = out.with_suffix(".checkpoint")
    own_seed = out.with_suffix(".private_seed")
    with common.session(threads) as listener:
        config = common.read_config(preset, settings)
        shared_seed = private_seed_path(teachers)
        config = with_randomness(
            config,
            shared_seed if shared_seed.exists() else own_seed,
            published=published_seed,
            begun=not shared_seed.exists() and checkpoint.exists(),
            anew=f"remove {checkpoint.name}" if checkpoint.exists() else "record other teachers",
        )
        images = common.load(source, config.image_size, layout)
        buffer = TrajectoryBuffer.open(teachers, config)
        where = common.choose_device(device)
        data = common.behind_ledger(images, config, source, ledger, where)
        distilled = run_distill(
            data,
            buffer,
            config,
            on_progress=listener,
            checkpoint=checkpoint,
            device=where,
        )
    write_atomically(out, distilled.to_bytes())
    checkpoint.unlink(missing_ok=True)
    own_seed.unlink(missing_ok=True)
    common.console.print(
        f"{len(distilled)} images of {len(distilled.classes)} classes in {out}, "
        f"from iteration {distilled.best_iteration}, learning rate {distilled.syn_lr:.4g}"
    )
    common.print_proof(data, config, buffer)
    common.console.print(PUBLISHED if published_seed else SECRET, highlight=False)
    if not published_seed and not shared_seed.exists():
        common.console.print(
            "But its teachers have no private seed, so the published one repeats them: train "
            "others for a set that is to be released."
        )
