"""`python -m worker [--queues cpu,gpu] [--concurrency N]`: run a worker until it is stopped."""

import argparse
import os
import sys
import warnings

from celery.platforms import SecurityWarning

from app.core.db import Database
from app.core.logging import configure_logging
from app.core.private import write_privately
from app.core.queue import Queue
from worker.admission import wait_until_admitted
from worker.app import app, settings, worker_settings
from worker.compile_cache import keep_compiled
from worker.lifecycle import is_broken, is_to_wait
from worker.registration import listen_to
from worker.stand_in import stand_by


def main() -> None:
    parser = argparse.ArgumentParser(prog="exchange worker", description="Run tasks.")
    parser.add_argument(
        "--queues",
        default=",".join(Queue),
        help="comma-separated: gpu (teachers, distillation, evaluation, forecasts), cpu (all else)",
    )
    parser.add_argument(
        "--concurrency",
        type=int,
        default=1,
        help="tasks at once; leave it at 1 for the gpu queue and start one worker per GPU",
    )
    arguments = parser.parse_args()
    queues = arguments.queues.split(",")
    unknown = set(queues) - set(Queue)
    if unknown:
        parser.error(f"no such queue: {', '.join(sorted(unknown))}; there are {', '.join(Queue)}")
    if Queue.GPU in queues and Queue.FORECAST not in queues:
        # A forecast measures the GPU, so a worker of that GPU must answer it.
        queues.append(Queue.FORECAST)
    # Celery warns root of unpickling; nothing here accepts anything but JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    write_privately()
    listen_to(queues)
    configure_logging(settings.log_level, settings.log_format)
    wait_until_admitted(settings.database_url)
    if worker_settings.stand_in:
        _stand_by()
    # Before the tasks are imported, and torch with them.
    keep_compiled(worker_settings.compile_cache_dir or settings.data_dir / "compiled")
    app.worker_main(
        [
            *("--quiet", "worker"),
            *("--pool", "prefork"),
            *("--concurrency", str(arguments.concurrency)),
            *("--queues", ",".join(queues)),
            *("--hostname", f"{arguments.queues.replace(',', '-')}@%h"),
            # Workers find the rows of dead workers by leases, not by messages to one another.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
    )
    if is_broken():
        sys.exit(
            "The GPU does not answer. Another worker takes over the job. Start this worker again."
        )
    if is_to_wait():
        # A new program under the same number: whoever keeps this worker running sees no end of it.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (ourselves)


def _stand_by() -> None:
    """With a connection of its own, closed before anything is forked."""
    database = Database(settings.database_url)
    try:
        stand_by(database)
    finally:
        database.close()


if __name__ == "__main__":
    main()
