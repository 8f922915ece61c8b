"""The command ``iadd select``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from iadd.cli import common
from iadd.data.image_set import ImageSet
from iadd.data.selection import random_images
from iadd.reproduce.small_sets import select_images


class Method(StrEnum):
    """A method of choosing images."""

    random = "random"
    herding = "herding"
    forgetting = "forgetting"


def select(
    source: common.Source,
    out: Annotated[Path, typer.Option(help="Folder for the images, one folder per class.")],
    method: Annotated[
        Method,
        typer.Option(
            help="random; herding: nearest the mean of their class; forgetting: forgotten most "
            "often by a network in training."
        ),
    ] = Method.herding,
    per_class: Annotated[int, typer.Option(help="Images of each class.", min=1)] = 10,
    preset: common.PresetName = "cpu_small",
    settings: common.Settings = [],  # noqa: B006 — typer reads the default, nothing changes it
    layout: common.Layout = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    """Choose real training images: the baselines that a distilled set has to beat."""
    with common.session(threads) as listener:
        config = common.read_config(preset, settings)
        train = common.load(source, config.image_size, layout).part("train")
        if method == Method.random:
            chosen = random_images(train, per_class, seed=config.seed, rng_key="select")
        else:
            chosen = select_images(
                train,
                method.value,
                per_class,
                config,
                on_progress=listener,
                device=common.choose_device(device),
            )
        _write(train, chosen.tolist(), out)
    common.console.print(f"{len(chosen)} real images of {len(train.classes)} classes in {out}")


def _write(train: ImageSet, chosen: list[int], out: Path) -> None:
    for position, index in enumerate(chosen):
        folder = out / train.classes[int(train.labels[index])]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = train.images[index].permute(1, 2, 0).numpy()
        # Numbered in the order of choice, since a source's file name may name a patient.
        Image.fromarray(pixels.squeeze()).save(folder / f"{position:04d}.png")
