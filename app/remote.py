"""`exchange upload`, `distill` and `download`: what a person does with a portal elsewhere.

Like `app.client` it needs no more than the base install.
"""

import time
from pathlib import Path

from rich.console import Console

from app.client import (
    FINAL,
    DatasetRead,
    DistillationRead,
    PortalClient,
    PortalError,
    ProblemRead,
)
from app.terminal import StepDisplay, step_display

RESULTS = {"bundle.zip": "bundle", "report.html": "report.html", "report.json": "report.json"}
"""File in the folder, and the name under which the portal has it."""
SECONDS_BETWEEN_LOOKS = 1.0


class RemoteError(RuntimeError):
    """It did not come to its end. The message is for the person at the terminal."""


def upload(
    portal: PortalClient,
    archive: Path,
    console: Console,
    *,
    name: str | None = None,
    dataset_id: str | None = None,
    wait: bool = True,
) -> DatasetRead:
    """Upload an archive and wait until it is checked.

    Args:
        portal: Where to.
        archive: A zip or tar file with one folder of images per class.
        console: Where progress is shown.
        name: Of the dataset that is made; the archive's if absent.
        dataset_id: A dataset that awaits an archive, in place of a new one.
        wait: Whether to wait for the check.

    Raises:
        RemoteError: There is no such file, the upload broke off, or the archive was rejected.
        PortalError: The portal refused, or could not be reached.
    """
    if not archive.is_file():
        raise RemoteError(f"{archive} is no file. Nothing was uploaded.")
    if dataset_id is None:
        dataset_id = portal.create_dataset(name or archive.stem).id
    total, sent = archive.stat().st_size, 0
    with step_display(console) as display:

        def count(more: int) -> None:
            nonlocal sent
            sent += more
            display.show("uploading", sent, total, "bytes")

        try:
            dataset = portal.upload_archive(dataset_id, archive, on_bytes=count)
        except PortalError as error:
            raise RemoteError(
                f"{error} The dataset {dataset_id} is there; to send an archive again: "
                f"exchange upload ARCHIVE --dataset {dataset_id}"
            ) from error
        display.finish("uploading")
        while wait and dataset.status == "checking":
            display.show("checking", 0, 1, "")
            time.sleep(SECONDS_BETWEEN_LOOKS)
            dataset = portal.dataset(dataset_id)
    if dataset.status == "rejected":
        raise RemoteError(
            f"The archive was rejected. {_told(dataset.problem)} To send another one: "
            f"exchange upload ARCHIVE --dataset {dataset_id}"
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
) -> DistillationRead:
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
    row = portal.start_distillation(
        dataset_id, preset=preset, images_per_class=images_per_class, seed=seed
    )
    with step_display(console) as display:
        while wait and row.status not in FINAL:
            _show(display, row)
            time.sleep(SECONDS_BETWEEN_LOOKS)
            row = portal.distillation(row.id)
        _show(display, row)
    if row.status in FINAL and row.status != "ready":
        raise RemoteError(f"The distillation {row.id} is {row.status}. {_told(row.problem)}")
    return row


def download(portal: PortalClient, distillation_id: str, out: Path) -> list[Path]:
    """Write the bundle and the reports into a folder, and tell where they are.

    Raises:
        PortalError: The portal refused, or could not be reached.
        OSError: The folder cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, resource in RESULTS.items():
        paths.append(out / name)
        portal.download(distillation_id, resource, paths[-1])
    return paths


def _show(display: StepDisplay, row: DistillationRead) -> None:
    for phase, state in row.phases.items():
        if phase == row.status:
            display.show(phase, state.done, state.total, state.unit, left=row.eta_seconds)
        else:
            display.finish(phase)


def _told(problem: ProblemRead | None) -> str:
    return f"{problem.title}. {problem.detail}" if problem else ""
