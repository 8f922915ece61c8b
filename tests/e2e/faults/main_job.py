"""The main job, as a person runs it: upload, wait for the check, distill, wait, download."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from app.client import PortalClient, PortalError, Problem
from tests.e2e.faults.installation import Installation
from tests.fixtures.service import TINY

Answer = TypeVar("Answer")

STAGES = (
    *("uploading", "checking", "queued", "teaching", "distilling"),
    *("evaluating", "auditing", "packaging", "ended"),
)
SMALLEST = {**TINY, "audit_students": 1, "baseline_lrs": [0.01]}
SECONDS_BETWEEN_LOOKS = 0.1
LONGEST = 1200.0
"""Seconds that a job may take, however it is disturbed and however busy the machine is."""


class MainJob:
    """One run of the main job.

    Args:
        installation: Where it runs.
        archive: What is uploaded.
        bears: Codes of problems that the person is prepared for, and then does as told: tries
            again, has the archive checked again, or retries the distillation.
    """

    def __init__(
        self, installation: Installation, archive: Path, *, bears: Collection[str] = ()
    ) -> None:
        self._installation = installation
        self._archive = archive
        self._bears = bears
        self._moved = threading.Condition()
        self._stage = ""
        self._deadline = time.monotonic() + LONGEST
        self.may_go_on = threading.Event()
        """Set once the fault is over: nothing is tried again before."""
        self.began_at: dict[str, float] = {}
        """When each stage was first seen, in seconds of the monotonic clock."""
        self.draws_anew = False
        """Whether the fault took what only new draws replace: then the result is another."""
        self.problems: list[str] = []
        """Codes of what the person was told."""
        self.dataset_id = ""
        self.distillation_id = ""
        self.row: dict[str, Any] = {}

    def run(self) -> None:
        """Do all of it. Raises PortalError for what the person is not prepared for."""
        try:
            with self._installation.portal() as portal:
                self._enter("uploading")
                self._upload(portal)
                self._distill(portal)
        finally:
            self._enter("ended")

    def wait_for(self, stage: str) -> None:
        """Return once the job is in this stage, or beyond."""
        with self._moved:
            self._moved.wait_for(
                lambda: self._stage and STAGES.index(self._stage) >= STAGES.index(stage)
            )

    def wait_for_problem(self) -> None:
        """Return once the person was told of one, or the job has ended."""
        with self._moved:
            self._moved.wait_for(lambda: self.problems or self._stage == STAGES[-1], LONGEST)

    def pause(self, seconds: float) -> None:
        """Wait, or until it has ended: on a busy machine and on a fast one alike."""
        with self._moved:
            self._moved.wait_for(lambda: self._stage == STAGES[-1], seconds)

    def _upload(self, portal: PortalClient) -> None:
        self.dataset_id = self._until_taken(lambda: portal.datasets.send(self._archive)).id
        while True:
            dataset = self._until_read(lambda: portal.datasets.get(self.dataset_id))
            if dataset.status == "ready":
                return
            if dataset.status == "rejected":
                assert dataset.problem is not None
                self._expect(dataset.problem)
                if self.problems[-1] == "archive-lost":
                    portal.datasets.send(self._archive, dataset_id=self.dataset_id)
                else:
                    self._until_taken(lambda: portal.datasets.check_again(self.dataset_id))
            self._enter("checking")
            self._wait()

    def _distill(self, portal: PortalClient) -> None:
        started = self._until_taken(
            lambda: portal.distillations.start(
                self.dataset_id, preset="cpu_demo", images_per_class=2, seed=3, overrides=SMALLEST
            )
        )
        self.distillation_id = started.id
        while True:
            row = self._until_read(lambda: portal.distillations.get(started.id))
            self.row = row.model_dump()
            if row.status == "ready":
                return
            if row.status == "failed":
                assert row.problem is not None
                self._expect(row.problem)
                self._until_taken(lambda: portal.distillations.retry(started.id))
            else:
                self._enter(row.status)
            self._wait()

    def result(self, name: str) -> bytes:
        """`bundle`, `report.json` or `report.html`."""
        path = self._archive.with_name(f"{self.distillation_id}-{name}")
        with self._installation.portal() as portal:
            portal.distillations.download(self.distillation_id, name, path)
        content = path.read_bytes()
        path.unlink()
        return content

    def images(self) -> bytes:
        """The distilled images as the bundle has them, every bit."""
        with zipfile.ZipFile(io.BytesIO(self.result("bundle"))) as bundle:
            return bundle.read("distilled.safetensors")

    def figures(self) -> Any:
        """Measured utility and privacy."""
        report = json.loads(self.result("report.json"))
        return report["utility"], report["privacy"]

    def _enter(self, stage: str) -> None:
        with self._moved:
            # A retry begins anew; those who wait for a moment wait for the first time.
            if not self._stage or STAGES.index(stage) > STAGES.index(self._stage):
                self._stage = stage
                self.began_at[stage] = time.monotonic()
                self._moved.notify_all()

    def _until_read(self, request: Callable[[], Answer]) -> Answer:
        """Look again where the portal does not answer: a look changes nothing."""
        while True:
            try:
                return self._until_taken(request)
            except PortalError as error:
                if not error.is_temporary:
                    raise
                self._wait()

    def _until_taken(self, request: Callable[[], Answer]) -> Answer:
        while True:
            try:
                return request()
            except PortalError as error:
                if error.code not in self._bears:
                    raise
                self._note(error.code)
                self._wait()

    def _expect(self, problem: Problem) -> None:
        """Read what it says, and wait until the operator has mended it."""
        code = problem.type.rpartition(":")[2]
        assert code in self._bears, problem
        self._note(code)
        assert self.may_go_on.wait(LONGEST)

    def _note(self, code: str) -> None:
        with self._moved:
            self.problems.append(code)
            self._moved.notify_all()

    def _wait(self) -> None:
        assert time.monotonic() < self._deadline, f"no end after {LONGEST} s: {self.row}"
        time.sleep(SECONDS_BETWEEN_LOOKS)
