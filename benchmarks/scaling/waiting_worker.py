"""A worker whose checks of archives wait instead of computing: what is left is the service's cost.

    python -m benchmarks.scaling.waiting_worker SECONDS --queues cpu

Messages, turns, leases, heartbeats and bookings are the real ones.
"""

import sys
import time
from collections.abc import Callable

from app.core.queue import Task
from app.datasets.repository import DatasetRepository
from app.models import Dataset
from worker import __main__ as worker
from worker import tasks, turns
from worker.jobs.lease import ClaimedRow
from worker.jobs.problems import problem_of
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

assert tasks  # registers every task; one of them is replaced below


def serve(seconds: float) -> None:
    """Replace the check of an archive by a pause, and run a worker."""

    def pause(services: Services, claimed: ClaimedRow, dataset: Dataset) -> Callable[[], None]:
        time.sleep(seconds)

        def finish() -> None:
            with services.database.transaction() as session:
                DatasetRepository(session).mark_rejected(
                    claimed.row_id, fence=claimed.fencing_token, problem={"title": "It waited."}
                )

        return finish

    kind = JobKind(
        model=Dataset,
        task=Task.CHECK_DATASET,
        claim=lambda session, row_id, **lease: DatasetRepository(session).claim(row_id, **lease),
        problem=lambda error: problem_of(error, doing="waiting", kept="Nothing."),
        fail=lambda session, claimed, problem: DatasetRepository(session).mark_rejected(
            claimed.row_id, fence=claimed.fencing_token, problem=problem
        ),
    )
    turns.handles(Task.CHECK_DATASET)(lambda row_id: run_job(kind, row_id, pause))
    worker.main()


if __name__ == "__main__":
    serve(float(sys.argv.pop(1)))
