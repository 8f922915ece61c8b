"""Options, sessions, progress bars, tables and one-line errors that the commands share."""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
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

from iadd.bundle.bundle import load_bundle
from iadd.config import SETTINGS, Config, ConfigError
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.loading import DatasetError, load_images
from iadd.data.selection import TooFewImagesError
from iadd.distillation.distill import CheckpointMismatchError, DistillationDivergedError
from iadd.dp.ledger import BudgetExceededError, FileLedgerStore, Ledger
from iadd.dp.private_data import PrivateData
from iadd.intake.layout.mapping import Mapping
from iadd.presets import PRESETS, PUBLISHED_SETS
from iadd.privacy.one_run_audit import audit_teachers
from iadd.privacy.proof import ProofVoidError, proof_of
from iadd.runtime.allocator import reuse_freed_memory
from iadd.runtime.device import DeviceLostError
from iadd.runtime.oom import OutOfMemoryError
from iadd.runtime.progress import Progress, ProgressListener
from iadd.trajectories.record import TrajectoryBuffer, TrajectoryError

console = Console()

Source = Annotated[
    Path, typer.Argument(help="Folder or archive with one folder of images per class.")
]
PresetName = Annotated[str, typer.Option("--preset", help=f"One of {', '.join(PRESETS)}.")]
Settings = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="Change a setting of the preset.")
]
Layout = Annotated[
    Path | None,
    typer.Option(
        "--layout",
        help="What folders and tables mean, where that is not clear; exchange layout writes it.",
    ),
]
LedgerFile = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        help="Under privacy dp: file that books every read of the images, of all runs together; "
        "SOURCE.ledger.jsonl beside the source unless given. Never delete it.",
    ),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …; auto uses a GPU if there is one.")]
Threads = Annotated[
    int, typer.Option(help="CPU threads; equal numbers give equal results to the bit. 0: all.")
]

_EXPECTED = (
    BudgetExceededError,
    CheckpointMismatchError,
    ConfigError,
    DatasetError,
    DeviceLostError,
    DistillationDivergedError,
    OutOfMemoryError,
    TooFewImagesError,
    TrajectoryError,
    OSError,
    ValueError,
)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print expected errors in one line; keep the traceback for unexpected ones."""
    try:
        yield
    except _EXPECTED as error:
        Console(stderr=True).print(f"iadd: {error}", style="red", markup=False)
        raise typer.Exit(1) from error


def load(source: Path, image_size: int, layout: Path | None) -> ImageSet:
    """Load images, by a layout that a person confirmed where one is named.

    Raises:
        DatasetError, OSError, ValueError: As `load_images`, and for a file that is no layout.
    """
    if layout is None:
        return load_images(source, image_size)
    return load_images(source, image_size, mapping=read_layout(layout))


def read_layout(path: Path) -> Mapping:
    """Read a layout that a person confirmed.

    Raises:
        ValueError: When the file is no layout.
    """
    try:
        return Mapping.from_dict(json.loads(path.read_text()))
    except ValueError as error:  # of JSON and of the mapping
        raise ValueError(f"{path} is no layout: {error}") from error


def behind_ledger(
    images: ImageSet, config: Config, source: Path, ledger: Path | None, device: torch.device
) -> ImageSet | PrivateData:
    """Return the images as a run of these settings reads them.

    Args:
        images: The images.
        config: Settings of the run; under ``privacy`` ``dp`` each read is booked before it happens.
        source: Where the images came from. All runs on them share one ledger, beside it.
        ledger: Another file for the ledger, or None.
        device: Device to compute on.
    """
    if config.protection.privacy != "dp":
        return images
    path = ledger or source.with_name(f"{source.name}.ledger.jsonl")
    return PrivateData(
        images,
        Ledger(FileLedgerStore(path)),
        declared_units=config.protection.declared_patients,
        device=device,
    )


def print_proof(data: ImageSet | PrivateData, config: Config, buffer: TrajectoryBuffer) -> None:
    """Print what the ledger proves of a private run, beside what its canaries found."""
    if not isinstance(data, PrivateData):
        return
    audited = audit_teachers(buffer, delta=config.protection.delta)
    try:
        proof = proof_of(data.ledger, config, unit=data.unit, audited=audited)
    except ProofVoidError as error:
        console.print(f"Nothing is proven: {error}", highlight=False)
        return
    console.print(proof.statement, highlight=False)
    if audited is not None:
        console.print(
            f"Attacked by {audited.canaries} canaries: ε ≥ {audited.epsilon:.3g} (95%), "
            f"{audited.right} of {audited.guesses} guesses right.",
            highlight=False,
        )


def prepare(threads: int) -> None:
    """Set the allocator, the threads and the cache of a command that computes."""
    reuse_freed_memory()
    # Compiled steps are kept after the command, and after a reboot empties the temporary folder.
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(cache, "iadd", "compiled")))
    if threads:
        torch.set_num_threads(threads)


@contextmanager
def session(threads: int) -> Iterator[ProgressListener]:
    """Set up a computing command: threads, allocator, progress bars, one-line errors."""
    prepare(threads)
    with one_line_errors(), make_bars() as bars:
        yield _BarListener(bars)


def make_bars(*, speed_estimate_period: float = 30.0) -> Bars:
    """Make progress bars with time left; a task may show ``numbers`` beside its bar."""
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[numbers]}"),
        console=console,
        speed_estimate_period=speed_estimate_period,
    )


def format_metrics(progress: Progress) -> str:
    """Format two metrics for display beside a bar, which fit a terminal of 80 columns."""
    first = list(progress.metrics.items())[:2]
    return "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in first)


class _BarListener:
    """Shows a bar per phase; a phase that starts anew gets another bar."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, int], TaskID] = {}
        self._last_done = 0
        self._runs = 0

    def __call__(self, progress: Progress) -> None:
        if progress.done < self._last_done:
            self._runs += 1
        self._last_done = progress.done
        if progress.message:
            self._bars.console.print(progress.message, markup=False, highlight=False)
        key = (progress.phase, self._runs)
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(progress.phase, total=progress.total, numbers="")
        changes: dict[str, Any] = {"completed": progress.done}
        if progress.metrics:
            changes["numbers"] = format_metrics(progress)
        self._bars.update(self._tasks[key], **changes)


def read_config(preset: str, settings: list[str]) -> Config:
    """Read a preset with the changes of a command line.

    Raises:
        ConfigError: For an unknown preset, and for a setting that is not NAME=VALUE, unknown or
            out of range.
    """
    known = PRESETS | PUBLISHED_SETS
    if preset not in known:
        raise ConfigError(f"There is no preset {preset!r}: there are {', '.join(known)}.")
    return known[preset]().override(read_settings(settings))


def read_settings(settings: list[str]) -> dict[str, Any]:
    """Parse settings of the form NAME=VALUE; a list is written a,b,c.

    Raises:
        ConfigError: For a setting that is not NAME=VALUE, or whose value should be a number.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        if not separator:
            raise ConfigError(f"{setting!r} is not NAME=VALUE.")
        changes[name] = _read_value(name, value)
    return changes


def _read_value(name: str, text: str) -> Any:
    kind = SETTINGS[name].kind if name in SETTINGS else "word"
    if kind == "word":
        return text
    if kind == "words":
        return tuple(word for word in text.split(",") if word)
    try:
        if kind == "numbers":
            return tuple(float(part) for part in text.split(","))
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}: it must be a number.") from None


def choose_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` is a GPU where there is one.

    Raises:
        ConfigError: When the name is not a device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"{name!r} is not a device of this machine.") from error


def load_distilled(path: Path) -> DistilledDataset:
    """Load a distilled set from a bundle (``.zip``) or a file that ``iadd distill`` wrote."""
    if path.suffix == ".zip":
        return load_bundle(path)
    return DistilledDataset.from_bytes(path.read_bytes())


def check_classes(distilled: DistilledDataset, images: ImageSet) -> None:
    """Check that the images have the classes of the distilled set.

    Raises:
        DatasetError: When they do not.
    """
    if images.classes != distilled.classes:
        raise DatasetError(
            "other_classes",
            "The classes differ",
            f"The images are of the classes {', '.join(images.classes)}, the distilled set of "
            f"{', '.join(distilled.classes)}: name the folders as the distilled set does.",
        )


def command_line() -> str:
    """Return the command as it was typed, to print with its figures."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def to_rich(cells: Sequence[Sequence[str]], *, title: str | None = None) -> Table:
    """Build a table from rows of cells, heading first; all columns but the first align right."""
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(cells[0]):
        table.add_column(heading, justify="right" if index else "left", overflow="fold")
    for row in cells[1:]:
        table.add_row(*row)
    return table
