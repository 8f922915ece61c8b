"""``iadd forecast``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from iadd.cli.common import (
    Device,
    Layout,
    PresetName,
    Settings,
    Threads,
    choose_device,
    console,
    load,
    one_line_errors,
    prepare,
    read_config,
)
from iadd.config import Config, ConfigError
from iadd.counts import images_per_epoch
from iadd.data.image_set import ImageSet
from iadd.forecast.arithmetic import Forecast
from iadd.forecast.forecast import forecast as run_forecast


def forecast(
    source: Annotated[
        Path | None, typer.Argument(help="Folder or archive with one folder of images per class.")
    ] = None,
    images: Annotated[
        int, typer.Option(help="Training images, where there is no source yet.", min=0)
    ] = 0,
    classes: Annotated[int, typer.Option(help="Classes, where there is no source yet.", min=1)] = 2,
    channels: Annotated[int, typer.Option(help="1 for X-rays, 3 for colours.", min=1, max=3)] = 1,
    preset: PresetName = "cpu_small",
    settings: Settings = [],  # noqa: B006
    layout: Layout = None,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Say how long a job will take on this device, and how much memory and disk."""
    with one_line_errors():
        prepare(threads)
        config = read_config(preset, settings)
        where = str(choose_device(device))
        if source is not None:
            found = _of_source(load(source, config.image_size, layout), config, where)
        elif images >= classes:
            found = run_forecast(images, classes, config, channels=channels, device=where)
        else:
            raise ConfigError("Name a folder of images, or how many: --images N --classes C.")
    _print(found)


def _of_source(loaded: ImageSet, config: Config, device: str) -> Forecast:
    train = loaded.part("train")
    counts = train.labels.bincount(minlength=len(train.classes)).tolist()
    return run_forecast(
        len(train),
        len(train.classes),
        config,
        channels=train.images.shape[1],
        images_per_epoch=images_per_epoch(config, dict(zip(train.classes, counts, strict=True))),
        validation_images=len(loaded.part("validation")),
        test_images=len(loaded.part("test")),
        device=device,
    )


def _print(found: Forecast) -> None:
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right")
    for name, seconds in found.phases.items():
        if seconds > 0:
            table.add_row(name.replace("_", " "), duration(seconds))
    table.add_row("in all", duration(found.seconds), style="bold")
    console.print(table)
    console.print(
        f"About {duration(found.seconds)} on {found.device}, {_size(found.peak_bytes)} of memory "
        f"at most and {_size(found.disk_bytes)} on disk; {found.compilation}."
    )


def duration(seconds: float) -> str:
    """Seconds in the unit that people would choose."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
