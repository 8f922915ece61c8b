"""A file of JSON objects, one a line, that grows while a job runs and survives its end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class JsonLines:
    """Appends objects to a file; a line that was cut by a kill is dropped at the next start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole_lines = _end_of_whole_lines(path)
        # They name files, so they are for their owner alone.
        self._file = os.fdopen(os.open(path, _FLAGS, 0o600), "ab")
        self._file.truncate(self.whole_lines)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Return what was there when the file was opened."""
        left = self.whole_lines
        with self.path.open("rb") as file:
            for line in file:
                left -= len(line)
                if left < 0:
                    return
                yield json.loads(line)

    def append(self, document: dict[str, Any]) -> None:
        """Write one object; it is in the file when this returns, though not yet on the disc."""
        line = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _end_of_whole_lines(path: Path) -> int:
    """Return the length of the lines that can be read, up to the first that cannot."""
    end = 0
    if not path.exists():
        return 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                if not isinstance(json.loads(line), dict):
                    break
            except ValueError:
                break
            end += len(line)
    return end
