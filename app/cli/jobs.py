"""Long jobs with a portal elsewhere, and what a person sees of them: upload, distill, download.

Like `app.client` it needs no more than the base install. Whoever interrupts a job reads what was
kept and how it goes on; a portal that does not answer for a while ends no waiting.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from app.cli.progress import Pace, StepDisplay, step_display
from app.client import (
    FINAL,
    NOT_MADE,
    RESULTS,
    AccessRequest,
    Dataset,
    Distillation,
    PortalClient,
    PortalError,
    Problem,
    Release,
    Training,
    UnreachableError,
)
from app.client.downloads import TransferListener

Row = TypeVar("Row")

SECONDS_BETWEEN_LOOKS = 1.0
PATIENCE_SECONDS = 600.0
"""A portal that gives no answer for so long has gone; one that is being renewed is back sooner."""


GOES_ON = "The same command goes on from there."


class RemoteError(RuntimeError):
    """It did not come to its end. The message is for the person at the terminal."""


def upload(
    portal: PortalClient,
    archive: Path,
    console: Console,
    *,
    name: str | None = None,
    dataset_id: str | None = None,
    resume: bool = True,
    wait: bool = True,
) -> Dataset:
    """Upload an archive and wait until it is checked.

    Args:
        portal: Where to.
        archive: A zip or tar file with one folder of images per class.
        console: Where progress is shown.
        name: Of the dataset that is made; the archive's if absent.
        dataset_id: A dataset that awaits an archive, in place of a new one.
        resume: Whether to go on with what an earlier run has begun.
        wait: Whether to wait for the check.

    Raises:
        RemoteError: There is no such file, the line broke for too long, or the archive was
            rejected.
        PortalError: The portal refused, or could not be reached.
    """
    if not archive.is_file():
        raise RemoteError(f"{archive} is no file. Nothing was uploaded.")
    try:
        with step_display(console) as display:
            dataset = portal.datasets.send(
                archive,
                name=name,
                dataset_id=dataset_id,
                resume=resume,
                on_progress=_transfer(display, "uploading"),
            )
            display.finish("uploading")
    except UnreachableError as error:
        raise RemoteError(f"{error} {GOES_ON}") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"The upload was interrupted. What has arrived is kept. {GOES_ON}"
        ) from None
    if wait:
        dataset = follow_dataset(portal, dataset, console)
    if dataset.status == "rejected":
        raise RemoteError(
            f"The archive was rejected. {told(dataset.problem)} To send another one: exchange "
            f"upload ARCHIVE --dataset {dataset.id}"
        )
    return dataset


def distill(
    portal: PortalClient,
    dataset_id: str,
    console: Console,
    *,
    preset: str,
    images_per_class: int | None = None,
    seed: int = 0,
    wait: bool = True,
) -> Distillation:
    """Ask for a distilled set and wait until it is there.

    Args:
        portal: Where the dataset is.
        dataset_id: A dataset that is `ready`.
        console: Where progress is shown.
        preset: Name of the settings.
        images_per_class: IPC; the preset's if absent.
        seed: Of the distillation.
        wait: Whether to wait for the result.

    Raises:
        RemoteError: It failed or was cancelled.
        PortalError: The portal refused, or could not be reached.
    """
    row = portal.distillations.start(
        dataset_id, preset=preset, images_per_class=images_per_class, seed=seed
    )
    if wait:
        row = follow_distillation(portal, row, console)
    expect_success(row)
    return row


def expect_success(row: Distillation) -> None:
    """Raises RemoteError where it has ended without a result."""
    if row.status in FINAL and row.status != "ready":
        raise RemoteError(f"The distillation {row.id} is {row.status}. {told(row.problem)}".strip())


def follow_dataset(portal: PortalClient, dataset: Dataset, console: Console) -> Dataset:
    """Wait until it is checked."""
    with step_display(console) as display, _leaving_it(dataset.id):
        while dataset.status == "checking":
            display.show("checking", 0, 1, "")
            dataset = _next(portal.datasets.get, dataset.id, console)
        display.finish("checking")
    return dataset


def follow_distillation(portal: PortalClient, row: Distillation, console: Console) -> Distillation:
    """Wait until it has ended, one way or another."""
    with step_display(console) as display, _leaving_it(row.id):
        while row.status not in FINAL:
            _show(display, row)
            row = _next(portal.distillations.get, row.id, console)
        _show(display, row)
    return row


def follow_training(
    portal: PortalClient, row: Training, console: Console, *, until: Collection[str] = ()
) -> Training:
    """Wait until it has ended, or is in one of these statuses."""
    with step_display(console) as display, _leaving_it(row.id):
        while row.status not in FINAL and row.status not in until:
            state = row.progress
            if state is None:
                display.show(row.status, 0, 1, "")
            else:
                display.show(row.status, state.done, state.total, state.unit, left=row.eta_seconds)
            row = _next(portal.trainings.get, row.id, console)
    return row


def expect_trained(row: Training) -> None:
    """Raises RemoteError where it has ended without a result."""
    if row.status in FINAL and row.status != "ready":
        raise RemoteError(f"The training {row.id} is {row.status}. {told(row.problem)}".strip())


def follow_request(portal: PortalClient, row: AccessRequest, console: Console) -> AccessRequest:
    """Wait until somebody has decided it."""
    with _leaving_it(row.id):
        if row.status == "requested":
            console.print("Waiting for a decision.")
        while row.status == "requested":
            row = _next(portal.requests.get, row.id, console)
    return row


def download_results(
    portal: PortalClient, distillation_id: str, out: Path, console: Console
) -> list[Path]:
    """Write the bundle and the reports into a folder, and tell where they are.

    A report in a form that the portal did not write yet when it made them is left out.

    Raises:
        PortalError: The portal refused, or could not be reached.
        OSError: The folder cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    with step_display(console) as display, _keeping_parts():
        for name, result in RESULTS.items():
            try:
                portal.distillations.download(
                    distillation_id, result, out / name, on_progress=_transfer(display, name)
                )
            except PortalError as error:
                if error.code != NOT_MADE:
                    raise
                continue
            paths.append(out / name)
            display.finish(name)
    return paths


def download_release(
    portal: PortalClient, release_id: str, out: Path, console: Console
) -> tuple[Release, Path]:
    """Write the signed bundle into a folder, and tell what it should be and where it is.

    Raises:
        PortalError: The portal refused, could not be reached, or sent another file.
        OSError: The folder cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{release_id}.zip"
    with step_display(console) as display, _keeping_parts():
        release = portal.releases.download(
            release_id, path, on_progress=_transfer(display, path.name)
        )
        display.finish(path.name)
    return release, path


def told(problem: Problem | None) -> str:
    return f"{problem.title}. {problem.detail}".strip() if problem else ""


@contextmanager
def _leaving_it(identifier: str) -> Iterator[None]:
    """Say, on an interrupt, that only the waiting ends."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Nobody waits for it any more, and it goes on at the portal: exchange status "
            f"{identifier} --follow"
        ) from None


@contextmanager
def _keeping_parts() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "The download was interrupted. What has arrived is kept: the same command goes on from "
            "there."
        ) from None


def _next(look: Callable[[str], Row], identifier: str, console: Console) -> Row:
    """Look again, a little later. Raises PortalError after a long silence, or a refusal."""
    began = time.monotonic()
    silent = False
    while True:
        time.sleep(SECONDS_BETWEEN_LOOKS)
        try:
            return look(identifier)
        except PortalError as error:
            if not error.is_temporary or time.monotonic() - began > PATIENCE_SECONDS:
                raise
            if not silent:
                console.print("The portal does not answer; asking again.", markup=False)
            silent = True


def _transfer(display: StepDisplay, step: str) -> TransferListener:
    pace = Pace()

    def show(done: int, total: int | None) -> None:
        whole = max(done, 1) if total is None else total
        display.show(step, done, whole, "bytes", rate=pace.after(done))

    return show


def _show(display: StepDisplay, row: Distillation) -> None:
    for phase, state in row.phases.items():
        if phase == row.status:
            display.show(phase, state.done, state.total, state.unit, left=row.eta_seconds)
        else:
            display.finish(phase)
