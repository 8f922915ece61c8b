"""Whether this worker works: `python -m worker.liveness`, exit code 1 if it does not.

Three marks are renewed in a folder, each by what it stands for: the parent, from the loop that
takes messages, while it is attached to its queues; the child, each time its registration is
committed to the database; and a stand-in that waits while another worker serves its queue. A mark
that is not renewed means that a message would wait.

The check runs every few seconds: it imports the standard library alone.
"""

import os
import sys
import time
from pathlib import Path

RENEW_SECONDS = 10.0
STALE_SECONDS = 75.0
"""A child that computes renews its mark late where the machine is busy."""
FOLDER = "EXCHANGE_LIVENESS_DIR"

TAKES = "takes-messages"
REGISTERED = "registered"
STANDS_BY = "stands-by"


def mark(name: str) -> None:
    """Renew a mark, where a folder for marks is set."""
    folder = os.environ.get(FOLDER)
    if folder:
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def unmark(name: str) -> None:
    folder = os.environ.get(FOLDER)
    if folder:
        (Path(folder) / name).unlink(missing_ok=True)


def problems(folder: Path, now: float) -> list[str]:
    """What is wrong, in words; empty where a message would be taken, or another takes it."""
    if _age(folder / STANDS_BY, now) <= STALE_SECONDS:
        return []
    return [
        f"no sign for {STALE_SECONDS:g} s: {name}"
        for name in (TAKES, REGISTERED)
        if _age(folder / name, now) > STALE_SECONDS
    ]


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def main() -> None:
    folder = os.environ.get(FOLDER)
    if not folder:
        sys.exit(f"{FOLDER} names no folder.")
    found = problems(Path(folder), time.time())
    if found:
        sys.exit("; ".join(found))
    print("works")  # noqa: T201 (what a health check shows)


if __name__ == "__main__":
    main()
