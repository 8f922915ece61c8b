"""The ``iadd`` command: the library on folders, archives and bundles."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table

from iadd.bundle import load_bundle
from iadd.checkpoint import write_atomically
from iadd.config import CHOICES, LIMITS, Config, ConfigError
from iadd.distill import CheckpointMismatchError, DistillationDivergedError
from iadd.distill import distill as run_distill
from iadd.distilled import DistilledDataset
from iadd.evaluate import evaluate as run_evaluate
from iadd.evaluate import evaluate_full, evaluate_random
from iadd.images import DatasetError, ImageSet, load_images
from iadd.memory import reuse_freed_memory
from iadd.presets import PRESETS
from iadd.progress import Progress, ProgressListener
from iadd.scores import Evaluation
from iadd.selection import TooFewImagesError
from iadd.sheet import draw_sheet
from iadd.trajectory import TrajectoryBuffer, TrajectoryError, record_trajectories

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Importance-aware adaptive dataset distillation of chest X-rays.",
)
console = Console()

Source = Annotated[
    Path, typer.Argument(help="Folder or archive with one folder of images per class.")
]
PresetName = Annotated[str, typer.Option("--preset", help=f"One of {', '.join(PRESETS)}.")]
Settings = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="Change a setting of the preset.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …; auto takes a GPU if there is one.")]
Threads = Annotated[
    int, typer.Option(help="CPU threads; results repeat to the bit at the same number. 0: all.")
]

_EXPECTED = (
    CheckpointMismatchError,
    ConfigError,
    DatasetError,
    DistillationDivergedError,
    TooFewImagesError,
    TrajectoryError,
    OSError,
    ValueError,
)


@app.command()
def teach(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder for the trajectories; goes on if it has any.")],
    preset: PresetName = "cpu_small",
    settings: Settings = [],  # noqa: B006 — typer reads the default, nothing changes it
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train the teachers and keep a snapshot per epoch."""
    with _session(threads) as listener:
        config = _read_config(preset, settings)
        images = load_images(source, config.image_size)
        buffer = record_trajectories(
            images, config, out=out, on_progress=listener, device=_device(device)
        )
    console.print(f"{len(buffer)} teachers of {buffer.epochs} epochs in {out}")


@app.command()
def distill(
    source: Source,
    teachers: Annotated[Path, typer.Option(help="Folder that `iadd teach` wrote.")],
    out: Annotated[Path, typer.Option(help="File for the distilled set (safetensors).")],
    preset: PresetName = "cpu_small",
    settings: Settings = [],  # noqa: B006
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Learn the distilled images, the learning rate and the weights. Goes on when interrupted."""
    checkpoint = out.with_suffix(".checkpoint")
    with _session(threads) as listener:
        config = _read_config(preset, settings)
        images = load_images(source, config.image_size)
        buffer = TrajectoryBuffer.open(teachers, config)
        distilled = run_distill(
            images,
            buffer,
            config,
            on_progress=listener,
            checkpoint=checkpoint,
            device=_device(device),
        )
    write_atomically(out, distilled.to_bytes())
    checkpoint.unlink(missing_ok=True)
    console.print(
        f"{len(distilled)} images of {len(distilled.classes)} classes in {out}, "
        f"from iteration {distilled.best_iteration}, learning rate {distilled.syn_lr:.4g}"
    )


@app.command()
def evaluate(
    source: Source,
    distilled: Annotated[Path, typer.Option(help="Distilled set or bundle.")],
    baselines: Annotated[
        bool, typer.Option(help="Train on random real images and on the full set too.")
    ] = True,
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Write all figures there.")
    ] = None,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train networks from scratch on the distilled set and test them on real images."""
    rows: dict[str, Evaluation] = {}
    with _session(threads) as listener:
        learned = _load(distilled)
        images = _in_classes_of(learned, load_images(source, learned.config.image_size))
        where = _device(device)
        rows["distilled"] = run_evaluate(
            learned, images, learned.config, on_progress=listener, device=where
        )
        if baselines:
            rows["random"] = evaluate_random(
                images, learned.config, on_progress=listener, device=where
            )
            rows["full"] = evaluate_full(images, learned.config, on_progress=listener, device=where)
    _print_table(rows)
    if json_out:
        document = {name: evaluation.to_dict() for name, evaluation in rows.items()}
        write_atomically(json_out, json.dumps(document, indent=2).encode())


@app.command()
def show(
    distilled: Annotated[Path, typer.Argument(help="Distilled set or bundle.")],
    out: Annotated[
        Path | None, typer.Option(help="Draw the images there (PNG), a row per class.")
    ] = None,
) -> None:
    """Say what a distilled set is, and draw it."""
    with _errors():
        learned = _load(distilled)
    table = Table(show_header=False, box=None)
    count, channels, height, width = learned.images.shape
    table.add_row("images", f"{count} × {channels}×{height}×{width}")
    table.add_row("classes", ", ".join(learned.classes))
    table.add_row("learning rate", f"{learned.syn_lr:.4g}")
    table.add_row("preset", f"{learned.config.preset}, seed {learned.config.seed}")
    losses = learned.history.curves.get("unweighted_loss")
    if losses:
        table.add_row("matching loss", f"{losses[0]:.3f} → {losses[-1]:.3f}")
    console.print(table)
    if out:
        draw_sheet(learned).save(out)
        console.print(f"drawn in {out}")


def main() -> None:
    """Entry point of the ``iadd`` command."""
    app()


@contextmanager
def _errors() -> Iterator[None]:
    """Say expected errors in one line; keep the traceback for the unexpected ones."""
    try:
        yield
    except _EXPECTED as error:
        Console(stderr=True).print(f"iadd: {error}", style="red", markup=False)
        raise typer.Exit(1) from error


@contextmanager
def _session(threads: int) -> Iterator[ProgressListener]:
    """One computing command: threads, allocator, progress bars, errors in one line."""
    reuse_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}"),
        console=console,
    )
    with _errors(), bars:
        yield _BarListener(bars)


class _BarListener:
    """A bar per phase; a phase that begins anew gets another bar."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, int], TaskID] = {}
        self._last_done = 0
        self._runs = 0

    def __call__(self, progress: Progress) -> None:
        if progress.done < self._last_done:
            self._runs += 1
        self._last_done = progress.done
        key = (progress.phase, self._runs)
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(progress.phase, total=progress.total, numbers="")
        changes: dict[str, Any] = {"completed": progress.done}
        if progress.metrics:
            # Two fit beside the bar on a terminal of 80 columns; the history keeps them all.
            first = list(progress.metrics.items())[:2]
            changes["numbers"] = "  ".join(f"{k.replace('_', ' ')} {v:.4g}" for k, v in first)
        self._bars.update(self._tasks[key], **changes)


def _read_config(preset: str, settings: list[str]) -> Config:
    if preset not in PRESETS:
        raise ConfigError(f"There is no preset {preset!r}: there are {', '.join(PRESETS)}.")
    changes: dict[str, Any] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ConfigError(f"{setting!r} is no NAME=VALUE.")
        changes[name] = _read_value(name, value)
    return PRESETS[preset]().override(changes)


def _read_value(name: str, text: str) -> Any:
    if name in CHOICES or name not in {*LIMITS, "augmentation", "baseline_lrs"}:
        return text
    if name == "augmentation":
        return tuple(word for word in text.split(",") if word)
    try:
        if name == "baseline_lrs":
            return tuple(float(part) for part in text.split(","))
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}: it is a number.") from None


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"{name!r} is no device of this machine.") from error


def _load(path: Path) -> DistilledDataset:
    if path.suffix == ".zip":
        return load_bundle(path)
    return DistilledDataset.from_bytes(path.read_bytes())


def _in_classes_of(distilled: DistilledDataset, images: ImageSet) -> ImageSet:
    if images.classes != distilled.classes:
        raise DatasetError(
            "other_classes",
            "The classes differ",
            f"The images are of the classes {', '.join(images.classes)}, the distilled set of "
            f"{', '.join(distilled.classes)}: name the folders as the distilled set does.",
        )
    return images


def _print_table(rows: dict[str, Evaluation]) -> None:
    table = Table()
    names = ("balanced_accuracy", "accuracy", "macro_f1", "auroc")
    for heading in ("trained on", "images", *(n.replace("_", " ") for n in names), "lr"):
        table.add_column(heading, justify="left" if heading == "trained on" else "right")
    for name, evaluation in rows.items():
        spreads = [evaluation.spread(n) for n in names]
        table.add_row(
            name,
            f"{evaluation.training_images:,}",
            *(f"{s['mean']:.3f} ± {s['std']:.3f}" for s in spreads),
            f"{evaluation.lr:.4g}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
