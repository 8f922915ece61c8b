"""`exchange demo`: the whole way once, through the front door.

A service of its own, asked over REST like any other, ends with the demonstration. What is worth
keeping lies in the folder that was named: `bundle.zip`, `report.html`, `report.json`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from app.core.db import Database
from app.core.security import Role
from app.core.settings import Settings
from app.embedded import EmbeddedError, EmbeddedService
from app.organisations import service as organisations
from app.releases.seal import verify_bundle

PRESET = "cpu_demo"
IMAGES_PER_CLASS_DRAWN = 100
RESULTS = {"bundle.zip": "bundle", "report.html": "report.html", "report.json": "report.json"}
"""File in the folder, and the name under which the portal has it."""
PHASES = ("teaching", "distilling", "evaluating", "auditing", "packaging")
UPLOAD_PART = 256 * 1024

# Whatever the shell or a `.env` says of another service: this one keeps to its own folder.
OWN_FOLDER: dict[str, Any] = {"database_url": "", "storage_url": ""}


class DemoError(RuntimeError):
    """The demonstration cannot go on. The message is for the person at the terminal."""


def run_demo(data: Path | None, out: Path, console: Console | None = None) -> int:
    """Upload, distill, download and verify; returns the exit code.

    Args:
        data: The archive; without one a synthetic cohort is drawn.
        out: Folder for the results. Those of an earlier run are replaced.
        console: Where to print.
    """
    console = console or Console(highlight=False)
    began = time.monotonic()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="exchange-demo-") as folder:
            archive = _archive(data, Path(folder), console)
            _run(archive, out, Path(folder) / "data", console)
    except (DemoError, EmbeddedError) as error:
        console.print(f"[red]The demonstration stopped.[/red] {error}", soft_wrap=True)
        return 1
    except httpx.HTTPError as error:
        console.print(f"[red]The demonstration stopped.[/red] The portal: {error}", soft_wrap=True)
        return 1
    console.print(f"Done in {time.monotonic() - began:.0f} s.")
    return 0


def _archive(data: Path | None, folder: Path, console: Console) -> Path:
    """The archive that was named, or a cohort drawn into the folder."""
    if data is not None:
        if not data.is_file():
            raise DemoError(f"{data} is no file. Name a zip or tar archive, or leave --data out.")
        return data
    path = folder / "cohort.zip"
    with console.status("Drawing a synthetic cohort of chest X-rays"):
        subprocess.run(
            [
                *(sys.executable, "-P", "-m", "iadd.cohort"),
                *("--out", str(path), "--images-per-class", str(IMAGES_PER_CLASS_DRAWN)),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    console.print("Drew a synthetic cohort: no pixel comes from a person, nothing learned holds.")
    return path


def _run(archive: Path, out: Path, data_dir: Path, console: Console) -> None:
    environment = {f"EXCHANGE_{name.upper()}": value for name, value in OWN_FOLDER.items()}
    with EmbeddedService(data_dir, settings=environment) as service:
        console.print(f"A service of its own listens at {service.url}")
        try:
            with httpx.Client(
                base_url=f"{service.url}/api/v1",
                headers={"Authorization": f"Bearer {_make_token(data_dir)}"},
                timeout=60,
            ) as client:
                dataset = _upload(client, archive, console)
                row = _distill(client, dataset["id"], console)
                for name, resource in RESULTS.items():
                    reply = _ok(client.get(f"/distillations/{row['id']}/{resource}"))
                    (out / name).write_bytes(reply.content)
        except DemoError as error:
            logs = out / "logs"
            shutil.copytree(data_dir / "logs", logs, dirs_exist_ok=True)
            raise DemoError(f"{error} The service's logs are in {logs}.") from error
    code, lines = verify_bundle(out / "bundle.zip")
    if code != 0:
        raise DemoError(f"The bundle does not verify: {' '.join(lines)}")
    _print_results(archive, out, dataset, row, console)


def _make_token(data_dir: Path) -> str:
    database = Database(Settings(data_dir=data_dir, **OWN_FOLDER).database_url)
    try:
        with database.transaction() as session:
            organisation = organisations.create_organisation(session, "Demonstration")
            _, secret = organisations.create_token(session, organisation.id, Role.STEWARD, None)
    finally:
        database.close()
    return secret


def _upload(client: httpx.Client, archive: Path, console: Console) -> dict[str, Any]:
    """The dataset once it is `ready`."""
    made = _ok(client.post("/datasets", json={"name": archive.stem[:200]})).json()
    with _bars(console) as bars:
        task = bars.add_task("uploading", total=archive.stat().st_size, unit="bytes")

        def parts() -> Iterator[bytes]:
            with archive.open("rb") as file:
                while part := file.read(UPLOAD_PART):
                    yield part
                    bars.advance(task, len(part))

        size = {"Content-Length": str(archive.stat().st_size)}
        _ok(client.put(f"/datasets/{made['id']}/archive", content=parts(), headers=size))
        task = bars.add_task("checking", total=None, unit="")
        while (row := _ok(client.get(f"/datasets/{made['id']}")).json())["status"] == "checking":
            time.sleep(0.2)
        bars.update(task, total=1, completed=1)
    if row["status"] == "rejected":
        raise DemoError(f"The archive was rejected. {row['problem']['detail']}")
    quality = _ok(client.get(f"/datasets/{made['id']}/quality")).json()
    for name, splits in row["classes"].items():
        console.print(
            f"  {name}: {splits['train']} for training, {splits['validation']} for validation, "
            f"{splits['test']} for tests"
        )
    for left_out in quality["ignored"]:
        console.print(f"  left out: {left_out['count']} × {left_out['reason']}")
    if quality["refused_count"]:
        console.print(f"  refused: {quality['refused_count']} files; the quality report names each")
    return dict(row)


def _distill(client: httpx.Client, dataset_id: str, console: Console) -> dict[str, Any]:
    """The distillation once it is `ready`."""
    reply = _ok(client.post(f"/datasets/{dataset_id}/distillations", json={"preset": PRESET}))
    path = reply.headers["Location"].removeprefix("/api/v1")
    with _bars(console) as bars:
        tasks = {phase: bars.add_task(phase, total=None, start=False, unit="") for phase in PHASES}
        while True:
            row = _ok(client.get(path)).json()
            _show(bars, tasks, row)
            if row["status"] in ("ready", "failed", "cancelled"):
                break
            time.sleep(0.3)
    if row["status"] != "ready":
        why = (row["problem"] or {}).get("detail", "")
        raise DemoError(f"The distillation is {row['status']}. {why}")
    return dict(row)


def _show(bars: Progress, tasks: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    reached = (
        len(PHASES)
        if row["status"] == "ready"
        else PHASES.index(row["status"])
        if row["status"] in PHASES
        else -1
    )
    for number, phase in enumerate(PHASES):
        state = row["phases"].get(phase, {"done": 0, "total": None, "unit": ""})
        if number <= reached:
            bars.start_task(tasks[phase])
        if number < reached:
            # A phase that had nothing to count, or that the next one overtook between two looks.
            total = state["total"] or 1
            bars.update(tasks[phase], total=total, completed=total, unit=state["unit"])
            bars.stop_task(tasks[phase])
        elif number == reached:
            bars.update(
                tasks[phase], total=state["total"], completed=state["done"], unit=state["unit"]
            )


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<11}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        console=console,
    )


def _print_results(
    archive: Path,
    out: Path,
    dataset: Mapping[str, Any],
    row: Mapping[str, Any],
    console: Console,
) -> None:
    utility = json.loads((out / "report.json").read_text())["utility"]
    distilled = row["images_per_class"] * len(dataset["classes"])
    training = sum(splits["train"] for splits in dataset["classes"].values())
    table = Table(title="Networks trained on", title_justify="left")
    for column in ("", "images", "balanced accuracy"):
        table.add_column(column, justify="left" if not column else "right")
    for name, title, images in (
        ("distilled", "the distilled set", distilled),
        ("random", "as many random real images", distilled),
        ("full", "all training images", training),
    ):
        score = utility[name]["balanced_accuracy"]
        table.add_row(title, str(images), f"{score['mean']:.3f} ± {score['std']:.3f}")
    console.print(table)
    before, after = archive.stat().st_size, (out / "bundle.zip").stat().st_size
    console.print(
        f"{_size(before)} in, {_size(after)} out: {before / after:.0f} times smaller; "
        f"{training / distilled:.0f} training images for each distilled one."
    )
    console.print(f"Privacy verdict: {row['verdict'].replace('_', ' ')} (the report says more).")
    for name in RESULTS:
        console.print(os.fspath(out / name), soft_wrap=True)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _ok(reply: httpx.Response) -> httpx.Response:
    if reply.is_error:
        problem = reply.json() if "json" in reply.headers.get("Content-Type", "") else {}
        raise DemoError(f"The portal refused: {problem.get('detail', reply.status_code)}")
    return reply
