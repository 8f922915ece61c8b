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
    session,
    to_rich,
)
from iadd.config import Config, ConfigError
from iadd.counts import images_per_epoch
from iadd.data.image_set import ImageSet
from iadd.forecast.arithmetic import Forecast
from iadd.forecast.forecast import forecast as run_forecast
from iadd.forecast.utility import UtilityForecast, UtilityPoint, forecast_utility


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
    utility: Annotated[
        bool,
        typer.Option(
            "--utility",
            help="Also train on random images of SOURCE and on all of them: a distilled set lies "
            "between.",
        ),
    ] = False,
    minutes: Annotated[
        float, typer.Option(help="Time that --utility may take.", min=0.1, max=1440)
    ] = 5.0,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Say how long a job will take on this device, and how much memory and disk."""
    with one_line_errors():
        prepare(threads)
        config = read_config(preset, settings)
        where = str(choose_device(device))
        loaded = None if source is None else load(source, config.image_size, layout)
        if utility:
            _check_utility(loaded, config)
        if loaded is not None:
            found = _of_source(loaded, config, where)
        elif images >= classes:
            found = run_forecast(images, classes, config, channels=channels, device=where)
        else:
            raise ConfigError("Name a folder of images, or how many: --images N --classes C.")
    _print(found)
    if utility and loaded is not None:
        with session(threads) as listener:
            reached = forecast_utility(
                loaded, config, seconds=60 * minutes, on_progress=listener, device=where
            )
        _print_utility(reached, config)


def _check_utility(loaded: ImageSet | None, config: Config) -> None:
    if loaded is None:
        raise ConfigError("--utility trains on your images: name the folder or archive.")
    if config.protection.privacy == "dp":
        raise ConfigError(
            "--utility reads the images without noise, outside the ledger: with differential "
            "privacy it is not available."
        )


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


def _print_utility(found: UtilityForecast, config: Config) -> None:
    own = config.distillation.images_per_class
    points = [*found.random, *([found.full] if found.full else [])]
    cells = [["trained on", "images", "balanced accuracy (95%)", "passes", "rate"]]
    for point in points:
        name = "all training images"
        if point.per_class is not None:
            name = f"random, {point.per_class:,} per class"
        cells.append(
            [name, f"{point.images:,}", _reached(point), f"{point.epochs:,}", f"{point.lr:.3g}"]
        )
    console.print(to_rich(cells))
    (random,) = (point for point in found.random if point.per_class == own)
    bound = "what all training images reach (there was no time to measure it)"
    if found.full is not None:
        at_least = "at least " if found.full.epochs < found.full_epochs else ""
        bound = f"{at_least}{_reached(found.full)}, which all training images reach"
    lines = [
        f"A distilled set of {own} images per class is worth its price if it reaches more than "
        f"{_reached(random)}, as many random images do; it can hardly pass {bound}.",
        f"Tested on {found.tested_on:,} validation images; the test images were not read.",
    ]
    if found.left_out:
        sizes = ", ".join(f"{size:,}" for size in found.left_out)
        lines.append(f"No time for {sizes} per class: allow more --minutes.")
    for line in lines:
        console.print(line, highlight=False)


def _reached(point: UtilityPoint) -> str:
    low, high = point.interval
    return f"{point.balanced_accuracy:.3f} ({low:.3f} to {high:.3f})"


def duration(seconds: float) -> str:
    """Seconds in the unit that people would choose."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
