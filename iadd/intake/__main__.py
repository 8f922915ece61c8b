"""``python -m iadd.intake``: one archive in a process of its own, for the workers.

Its memory is that of the reading alone, without torch, and a file that brings it down costs no
worker. It reads a request, one line of JSON, and prints progress and the outcome, each a line.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from iadd.intake.decisions import Decisions
from iadd.intake.examine import examine
from iadd.intake.layout.mapping import Mapping
from iadd.intake.options import ReadOptions
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
    """Answer one request from standard input."""
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    options = {"key": bytes.fromhex(request["key"]), "seed": request.get("seed", 0)}
    if "image_size" in request:
        options["image_size"] = request["image_size"]
    mapping, source = request.get("mapping"), request.get("source")
    outcome = examine(
        None if source is None else Path(source),
        Path(request["out"]),
        options=ReadOptions(**options, withdrawn=frozenset(request.get("withdrawn", ()))),
        mapping=None if mapping is None else Mapping.from_dict(mapping),
        decisions=Decisions.from_dict(request.get("decisions") or {}),
        on_progress=_Reporter(),
    )
    _print("outcome", asdict(outcome))


def _print(kind: str, value: Any) -> None:
    sys.stdout.write(json.dumps({kind: value}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
