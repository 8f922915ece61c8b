"""``python -m iadd.intake``: one archive in a process of its own, for the workers.

Its memory is that of the reading alone, without torch, and a file that brings it down costs no
worker. It reads a request, one line of JSON, and prints progress and the outcome, each a line.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Before NumPy is loaded. Its matrices here are small: threads gain nothing on quiet cores, and on
# busy ones they wait for each other a hundred times longer than they count.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from iadd.intake.decisions import Decisions
from iadd.intake.examine import examine
from iadd.intake.layout.mapping import Mapping
from iadd.intake.options import ReadOptions
from iadd.intake.records import StoredRecords
from iadd.runtime.progress import Progress

_SECONDS_BETWEEN_REPORTS = 0.2


class _Reporter:
    """Prints progress, at most some times a second; the first and last of a phase always."""

    def __init__(self) -> None:
        self._phase = ""
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.phase == self._phase and progress.done < progress.total and now < self._next:
            return
        self._phase, self._next = progress.phase, now + _SECONDS_BETWEEN_REPORTS
        _print(
            "progress",
            {
                "phase": progress.phase,
                "done": progress.done,
                "total": progress.total,
                "unit": progress.unit,
            },
        )


def main() -> None:
    """Answer one request from standard input: ``examine`` an archive, or ``scan`` it for text."""
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    tasks = {"examine": _examine, "scan": _scan}
    try:
        _print("outcome", tasks[request.get("task", "examine")](request))
    except OSError as error:
        # Of this machine, not of the archive; its message may hold a path.
        _print("error", error.errno)


def _options(request: dict[str, Any]) -> ReadOptions:
    return ReadOptions(
        key=bytes.fromhex(request["key"]),
        seed=request.get("seed", 0),
        withdrawn=frozenset(request.get("withdrawn", ())),
    )


def _examine(request: dict[str, Any]) -> dict[str, Any]:
    mapping, source = request.get("mapping"), request.get("source")
    outcome = examine(
        None if source is None else Path(source),
        Path(request["out"]),
        options=_options(request),
        mapping=None if mapping is None else Mapping.from_dict(mapping),
        decisions=Decisions.from_dict(request.get("decisions") or {}),
        texts=frozenset(request.get("texts", ())),
        on_progress=_Reporter(),
    )
    return asdict(outcome)


def _scan(request: dict[str, Any]) -> dict[str, Any]:
    """Look for text from ``start`` on, for ``seconds``; pictures go to ``out``."""
    # It loads half a second of libraries that nothing else needs.
    from iadd.intake.text.scan import scan_slice

    mapping = request.get("mapping") or {}
    found = scan_slice(
        Path(request["source"]),
        StoredRecords(Path(request["records"])),
        options=_options(request),
        encoding=mapping.get("encoding"),
        start=request["start"],
        seconds=request["seconds"],
        on_progress=_Reporter(),
    )
    for one in found.found:
        (Path(request["out"]) / f"{one.path}.png").write_bytes(one.picture)
    return {
        "done": found.done,
        "total": found.total,
        "found": [one.to_dict() for one in found.found],
    }


def _print(kind: str, value: Any) -> None:
    sys.stdout.write(json.dumps({kind: value}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
