"""`exchange demo`: uploads, distills, downloads and verifies on an embedded service of its own.

It is a client of the REST API like `exchange distill`. The service ends with the demonstration; the
results stay in the output folder: `bundle.zip`, `report.html`, `report.pdf`, `report.json`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from app.auth.tokens import service as tokens
from app.cli import jobs
from app.cli.exit_codes import Exit
from app.cli.jobs import DistillOptions, RemoteJobError
from app.cli.progress import duration, size
from app.client import Dataset, Distillation, PortalClient, PortalError
from app.core.db import Database
from app.core.security import Role
from app.core.settings import Settings
from app.core.vault import Vault
from app.organisations import service as organisations
from app.organisations.repository import OrganisationNotFound
from app.signing.verify import GOOD, verify_bundle
from app.standalone.service import EmbeddedError, EmbeddedService

ORGANISATION = "Demonstration"
IMAGES_PER_CLASS_DRAWN = 150

# Whatever the shell or a `.env` says of another service: this one keeps to its own folder. The
# generated images hold no text, and nothing of a demonstration is released.
OWN_FOLDER: dict[str, Any] = {"database_url": "", "storage_url": "", "scan_text": False}


class DemoError(RuntimeError):
    """The demonstration cannot continue. The message is for the person at the terminal."""


def run_demo(
    data: Path | None,
    out: Path,
    preset: str = "cpu_demo",
    seed: int = 0,
    *,
    overrides: Mapping[str, Any] | None = None,
    data_dir: Path | None = None,
    console: Console | None = None,
) -> int:
    """Upload, distill, download and verify; returns the exit code.

    Args:
        data: The archive; without one a synthetic cohort is generated.
        out: Folder for the results. Those of an earlier run are replaced.
        preset: Name of the settings.
        seed: Seed of the synthetic cohort and of the distillation.
        overrides: Settings of the preset to change, by flat name.
        data_dir: Folder of the service, kept; without one a temporary one, removed at the end.
        console: Prints the messages.
    """
    console = console or Console(highlight=False)
    began = time.monotonic()
    try:
        with _terminated_like_interrupted(), _folder(data_dir) as folder:
            out.mkdir(parents=True, exist_ok=True)
            kept = "stays" if data_dir else "is removed at the end"
            console.print(
                f"Everything happens on this machine. What is uploaded lies in {folder}, which "
                f"{kept}.",
                soft_wrap=True,
            )
            archive = _archive(data, folder, seed, console)
            options = DistillOptions(preset=preset, seed=seed, overrides=overrides)
            _run(archive, out, folder, options, console)
    except (DemoError, EmbeddedError, PortalError, RemoteJobError) as error:
        console.print(f"The demonstration stopped. {error}", style="red", soft_wrap=True)
        return 1
    except OSError as error:
        console.print(f"The demonstration stopped: {error}", style="red", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped, and the service with it.", style="red")
        return Exit.INTERRUPTED
    console.print(f"Done in {duration(time.monotonic() - began)}.")
    return 0


@contextmanager
def _folder(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="exchange-demo-") as folder:
        yield Path(folder)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end the service and remove its folder, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _archive(data: Path | None, folder: Path, seed: int, console: Console) -> Path:
    """The archive that was named, or a cohort generated into the folder."""
    if data is not None:
        if not data.is_file():
            raise DemoError(
                f"{data} is not a file. Name a zip or tar archive, or leave --data out."
            )
        return data
    path = folder / "cohort.zip"
    path.unlink(missing_ok=True)
    with console.status("Generating a synthetic cohort of chest X-rays"):
        # In a process of its own: the portal's code never imports the library's.
        done = subprocess.run(
            [
                *(sys.executable, "-P", "-m", "iadd.cohort", "--out", str(path)),
                *("--images-per-class", str(IMAGES_PER_CLASS_DRAWN), "--seed", str(seed)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise DemoError(f"The synthetic cohort could not be generated: {done.stderr[-500:]}")
    console.print("Generated a synthetic cohort: no pixel of it comes from a person.")
    return path


def _run(archive: Path, out: Path, folder: Path, options: DistillOptions, console: Console) -> None:
    data_dir = folder / "data"
    environment = {f"EXCHANGE_{name.upper()}": str(value) for name, value in OWN_FOLDER.items()}
    with EmbeddedService(data_dir, settings=environment) as service:

        def pause(seconds: float) -> None:
            if service.wait(seconds):
                raise DemoError("The service ended by itself.")

        console.print(f"A service of its own listens at {service.url}")
        try:
            with PortalClient(service.url, _make_token(data_dir)) as portal:
                dataset = jobs.upload(portal, archive, console, streamed=True, pause=pause)
                _print_quality(dataset, portal.datasets.quality(dataset.id), console)
                row = jobs.distill(portal, dataset.id, console, options, pause=pause)
                results = jobs.download_results(portal, row.id, out, console)
        except (DemoError, EmbeddedError, PortalError, RemoteJobError) as error:
            logs = out / "logs"
            shutil.copytree(data_dir / "logs", logs, dirs_exist_ok=True)
            raise DemoError(f"{error} The service's logs are in {logs}.") from error
    code, lines = verify_bundle(out / "bundle.zip")
    if code != GOOD:
        raise DemoError(f"The bundle does not verify: {' '.join(lines)}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)
    _print_results(archive, results, dataset, row, console)


def _make_token(data_dir: Path) -> str:
    settings = Settings(data_dir=data_dir, **OWN_FOLDER)
    database = Database(settings.database_url)
    try:
        with database.transaction() as session:
            try:
                organisation = organisations.find_by_name(session, ORGANISATION)
            except OrganisationNotFound:
                organisation = organisations.create(session, Vault.of(settings), ORGANISATION)
            _, secret = tokens.create_by_operator(session, organisation.id, Role.STEWARD, None)
    finally:
        database.close()
    return secret


def _print_quality(dataset: Dataset, quality: Mapping[str, Any], console: Console) -> None:
    for name, splits in (dataset.classes or {}).items():
        console.print(
            f"  {name}: {splits['train']} images to train with, {splits['validation']} to choose "
            f"by, {splits['test']} to test with",
            markup=False,
        )
    for left_out in quality["ignored"]:
        console.print(f"  left out: {left_out['reason']} ({left_out['count']})", markup=False)
    for code, count in quality["refused_by_code"].items():
        console.print(f"  refused: {code.replace('_', ' ')} ({count})", markup=False)


def _print_results(
    archive: Path,
    results: Sequence[Path],
    dataset: Dataset,
    row: Distillation,
    console: Console,
) -> None:
    stored = {path.name: path for path in results}
    utility = json.loads(stored["report.json"].read_text())["utility"]
    classes = dataset.classes or {}
    distilled = row.images_per_class * len(classes)
    training = sum(splits["train"] for splits in classes.values())
    table = Table(title="Networks trained on", title_justify="left")
    for column in ("", "images", "balanced accuracy"):
        table.add_column(column, justify="right" if column else "left")
    for name, title, images in (
        ("distilled", "the distilled set", distilled),
        ("start", "its start, not distilled", distilled),
        ("random", "as many random real images", distilled),
        ("full", "all training images", training),
    ):
        score = utility[name]["balanced_accuracy"]
        table.add_row(title, str(images), f"{score['mean']:.3f} ± {score['std']:.3f}")
    console.print(table)
    before, after = archive.stat().st_size, stored["bundle.zip"].stat().st_size
    console.print(
        f"{training} training images became {distilled}: {training / distilled:.0f} times fewer. "
        f"Archive {size(before)}, bundle {size(after)}: {before / after:.1f} times smaller.",
        soft_wrap=True,
    )
    if row.verdict:
        console.print(f"Privacy verdict: {row.verdict.replace('_', ' ')}; the report says why.")
    for path in results:
        console.print(os.fspath(path), soft_wrap=True, markup=False)
