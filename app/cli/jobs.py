"""Uploads, distillations, trainings and downloads on a remote portal, shown on a terminal.

Like `app.client` it needs only the base install. An interrupt explains what was kept and how to
continue; a portal that does not answer for a while ends no waiting.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from app.cli.progress import StepDisplay, TransferRate, duration, step_display
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
from app.client.datasets import printable
from app.client.downloads import TransferListener

Row = TypeVar("Row")
Pause = Callable[[float], object]
"""Waits so many seconds; what it raises ends the job."""

SECONDS_BETWEEN_LOOKS = 1.0
PATIENCE_SECONDS = 600.0
"""A portal that gives no answer for so long has gone; one that is being renewed is back sooner."""


WAITING = "checking"
"""What the check of a dataset is called before its first phase."""
AWAITS_LAYOUT = "awaiting_mapping"
"""Status of a dataset whose archive a person has to explain."""
GOES_ON = "Run the same command again to continue from there."


class RemoteJobError(RuntimeError):
    """A job did not finish. The message is for the person at the terminal.

    Attributes:
        advice: The command that continues, where there is one.
    """

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


@dataclass(frozen=True, kw_only=True)
class DistillOptions:
    """Settings of a distillation.

    Attributes:
        preset: Name of the settings.
        images_per_class: IPC; None: the preset's.
        seed: Seed of the distillation.
        audit: Name of its audit; None: the preset's.
        priority: `high`, `normal` or `low`, among the organisation's own; None: `normal`.
        forecast: Say before the start what it takes and what its audit can find. A worker may
            measure a few steps for that.
        overrides: Other settings of the preset to change, by flat name.
    """

    preset: str
    images_per_class: int | None = None
    seed: int = 0
    audit: str | None = None
    priority: str | None = None
    forecast: bool = False
    overrides: Mapping[str, Any] | None = None


def upload(
    portal: PortalClient,
    archive: Path,
    console: Console,
    *,
    name: str | None = None,
    dataset_id: str | None = None,
    resume: bool = True,
    streamed: bool = False,
    wait: bool = True,
    mapping: Mapping[str, Any] | None = None,
    mapping_name: str | None = None,
    on_sent: Callable[[Dataset], object] = lambda _: None,
    pause: Pause = time.sleep,
) -> Dataset:
    """Upload an archive and wait until it is checked, or awaits its layout.

    Args:
        portal: The portal to upload to.
        archive: A zip or tar file with one folder of images per class.
        console: Shows progress.
        name: Name of the new dataset; the archive's if absent.
        dataset_id: A dataset that awaits an archive, in place of a new one.
        resume: Continue what an earlier run has begun.
        streamed: Send it in one request, which cannot be resumed and leaves no note here.
        wait: Wait for the check.
        mapping: What the folders and tables mean, confirmed at once where the portal asks.
        mapping_name: Name of the file that says so; named where it was not needed.
        on_sent: Called once the portal has the archive.
        pause: Waits between two requests.

    Raises:
        RemoteJobError: There is no such file, the connection broke for too long, or the archive was
            rejected.
        PortalError: The portal refused, or could not be reached.
    """
    if not archive.is_file():
        raise RemoteJobError(f"{archive} is not a file. Nothing was uploaded.")
    try:
        with step_display(console) as display:
            show = _transfer(display, "uploading")
            if streamed:
                dataset_id = (
                    dataset_id or portal.datasets.create(name or printable(archive.stem)).id
                )
                dataset = portal.datasets.upload(dataset_id, archive, on_progress=show)
            else:
                dataset = portal.datasets.send(
                    archive, name=name, dataset_id=dataset_id, resume=resume, on_progress=show
                )
            display.finish("uploading")
    except UnreachableError as error:
        raise RemoteJobError(str(error), GOES_ON) from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"The upload was interrupted. What has arrived is kept. {GOES_ON}"
        ) from None
    on_sent(dataset)
    if wait:
        dataset = follow_dataset(portal, dataset, console, pause)
    if mapping is not None and wait:
        if dataset.status == AWAITS_LAYOUT:
            return confirm_layout(portal, dataset.id, mapping, console, pause=pause)
        if dataset.status == "ready" and mapping_name is not None:
            console.print(
                f"{mapping_name} was not needed: the archive has one meaning, or was explained "
                "before.",
                markup=False,
            )
    return _expect_no_rejection(dataset)


def _expect_no_rejection(dataset: Dataset) -> Dataset:
    if dataset.status == "rejected":
        raise RemoteJobError(
            f"The archive was rejected. {explain(dataset.problem)}".strip(),
            f"To send another one: exchange upload ARCHIVE --dataset {dataset.id}",
        )
    return dataset


def confirm_layout(
    portal: PortalClient,
    dataset_id: str,
    mapping: Mapping[str, Any],
    console: Console,
    *,
    wait: bool = True,
    pause: Pause = time.sleep,
) -> Dataset:
    """Confirm what the folders and tables of an archive mean, and wait until it is checked.

    Raises:
        RemoteJobError: The mapping cannot be used, or the archive was rejected.
        PortalError: The portal refused, or could not be reached.
    """
    try:
        found = portal.datasets.layout(dataset_id)
        dataset = portal.datasets.confirm_layout(
            dataset_id, mapping, archive_sha256=found.archive_sha256
        )
    except PortalError as error:
        if error.code != "mapping-invalid":
            raise
        raise RemoteJobError(
            str(error), f"Change the file, then: exchange layout {dataset_id} --layout FILE"
        ) from error
    if wait:
        dataset = follow_dataset(portal, dataset, console, pause)
    return _expect_no_rejection(dataset)


def layout_questions(portal: PortalClient, dataset_id: str) -> str:
    """What a person has to say before a dataset can be read, and how to say it."""
    layout = portal.datasets.layout(dataset_id).layout or {"questions": []}
    lines = [
        "What the folders and tables of the archive mean is not clear, so it was not read yet.",
        *(f"- {question}" for question in layout["questions"]),
        "Answer on the page of the dataset, or here:",
        f"  exchange layout {dataset_id} --out layout.json     shows what was found",
        f"  exchange layout {dataset_id} --layout layout.json  reads it by the file, once edited",
    ]
    return "\n".join(lines)


def distill(
    portal: PortalClient,
    dataset_id: str,
    console: Console,
    options: DistillOptions,
    *,
    wait: bool = True,
    pause: Pause = time.sleep,
) -> Distillation:
    """Start a distillation and wait for its result.

    Args:
        portal: The portal that has the dataset.
        dataset_id: A dataset that is `ready`.
        console: Shows progress.
        options: The preset, and what differs from it.
        wait: Wait for the result.
        pause: Waits between two requests.

    Raises:
        RemoteJobError: It failed or was cancelled, or the dataset awaits its layout.
        PortalError: The portal refused, or could not be reached.
    """
    asked: dict[str, Any] = {
        "preset": options.preset,
        "images_per_class": options.images_per_class,
        "seed": options.seed,
        "audit": options.audit,
        "overrides": options.overrides,
    }
    try:
        if options.forecast:
            _tell_forecast(portal, dataset_id, asked, console)
        row = portal.distillations.start(dataset_id, priority=options.priority, **asked)
    except PortalError as error:
        if error.code == "dataset-not-ready" and (
            portal.datasets.get(dataset_id).status == AWAITS_LAYOUT
        ):
            raise RemoteJobError(layout_questions(portal, dataset_id)) from error
        raise
    if wait:
        row = follow_distillation(portal, row, console, pause)
    expect_success(row)
    return row


def _tell_forecast(
    portal: PortalClient, dataset_id: str, asked: Mapping[str, Any], console: Console
) -> None:
    """Say what it takes and what its audit can find, where the portal knows that at once."""
    try:
        forecast = portal.distillations.forecast(dataset_id, **asked)
    except PortalError:
        return  # the start itself says what is wrong
    if forecast.estimate is not None:
        low, high = forecast.estimate.low_seconds, forecast.estimate.high_seconds
        console.print(f"Forecast: {duration(low)} to {duration(high)}.", markup=False)
    if forecast.audit is not None:
        console.print(f"Privacy audit: {forecast.audit.text}", markup=False)


def expect_success(row: Distillation | Training) -> None:
    """Raises RemoteJobError where it has ended without a result."""
    if row.status in FINAL and row.status != "ready":
        kind = "distillation" if isinstance(row, Distillation) else "training"
        raise RemoteJobError(f"The {kind} {row.id} is {row.status}. {explain(row.problem)}".strip())


def follow_dataset(
    portal: PortalClient, dataset: Dataset, console: Console, pause: Pause = time.sleep
) -> Dataset:
    """Wait until it is checked."""
    phase = WAITING
    with step_display(console) as display, _job_continues(dataset.id):
        while dataset.status == "checking":
            phase = _show_check(display, dataset, phase)
            dataset = _next(portal.datasets.get, dataset.id, console, pause)
        display.finish(phase)
    return dataset


def follow_distillation(
    portal: PortalClient, row: Distillation, console: Console, pause: Pause = time.sleep
) -> Distillation:
    """Wait until it has ended, one way or another."""
    with step_display(console) as display, _job_continues(row.id):
        while row.status not in FINAL:
            _show(display, row)
            row = _next(portal.distillations.get, row.id, console, pause)
        _show(display, row)
    return row


def follow_training(
    portal: PortalClient, row: Training, console: Console, *, until: Collection[str] = ()
) -> Training:
    """Wait until it has ended, or is in one of these statuses."""
    with step_display(console) as display, _job_continues(row.id):
        while row.status not in FINAL and row.status not in until:
            state = row.progress
            if state is None:
                display.show(row.status, 0, 1, "")
            else:
                display.show(row.status, state.done, state.total, state.unit, left=row.eta_seconds)
            row = _next(portal.trainings.get, row.id, console)
    return row


def follow_request(portal: PortalClient, row: AccessRequest, console: Console) -> AccessRequest:
    """Wait for the decision."""
    with _job_continues(row.id):
        if row.status == "requested":
            console.print("Waiting for a decision.")
        while row.status == "requested":
            row = _next(portal.requests.get, row.id, console)
    return row


def download_results(
    portal: PortalClient, distillation_id: str, out: Path, console: Console
) -> list[Path]:
    """Write the bundle and the reports into a folder, and return their paths.

    A report in a form that the portal did not write yet when it made them is left out.

    Raises:
        PortalError: The portal refused, or could not be reached.
        OSError: The folder cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    with step_display(console) as display, _keeps_parts():
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
    """Write the signed bundle into a folder; return its release and its path.

    Raises:
        PortalError: The portal refused, could not be reached, or sent another file.
        OSError: The folder cannot be written to.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{release_id}.zip"
    with step_display(console) as display, _keeps_parts():
        release = portal.releases.download(
            release_id, path, on_progress=_transfer(display, path.name)
        )
        display.finish(path.name)
    return release, path


def explain(problem: Problem | None) -> str:
    return f"{problem.title}. {problem.detail}".strip() if problem else ""


@contextmanager
def _job_continues(identifier: str) -> Iterator[None]:
    """Explain, on an interrupt, that only the waiting ends."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Stopped waiting; the job continues on the portal: exchange status "
            f"{identifier} --follow"
        ) from None


@contextmanager
def _keeps_parts() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"The download was interrupted. What has arrived is kept. {GOES_ON}"
        ) from None


def _next(
    get: Callable[[str], Row], identifier: str, console: Console, pause: Pause = time.sleep
) -> Row:
    """Get it again, a little later. Raises PortalError after a long silence, or a refusal."""
    began = time.monotonic()
    silent = False
    while True:
        pause(SECONDS_BETWEEN_LOOKS)
        try:
            return get(identifier)
        except PortalError as error:
            if not error.is_temporary or time.monotonic() - began > PATIENCE_SECONDS:
                raise
            if not silent:
                console.print("The portal does not answer; trying again.", markup=False)
            silent = True


def _transfer(display: StepDisplay, step: str) -> TransferListener:
    rate = TransferRate()

    def show(done: int, total: int | None) -> None:
        whole = max(done, 1) if total is None else total
        display.show(step, done, whole, "bytes", rate=rate.after(done))

    return show


def _show_check(display: StepDisplay, dataset: Dataset, before: str) -> str:
    """Show the phase of a check; returns its name. Older portals name none."""
    state = dataset.progress
    if not state:
        display.show(before, 0, 1, "")
        return before
    phase = str(state["phase"])
    if phase != before:
        display.finish(before)
    done, total = state.get("done", 0), max(1, state.get("total", 1))
    display.show(phase, done, total, state.get("unit", ""))
    return phase


def _show(display: StepDisplay, row: Distillation) -> None:
    for phase, state in row.phases.items():
        if phase == row.status:
            display.show(phase, state.done, state.total, state.unit, left=row.eta_seconds)
        else:
            display.finish(phase)
