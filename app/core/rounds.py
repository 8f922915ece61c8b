"""When each periodic task of this portal last ended a round: one that is silent is seen by it."""

import time
from collections.abc import Mapping


class Rounds:
    """Times in seconds since 1970, by name of the task; at first that of its start."""

    def __init__(self) -> None:
        self._ended_at: dict[str, float] = {}

    def note(self, task: str) -> None:
        self._ended_at[task] = time.time()

    def ended_at(self) -> Mapping[str, float]:
        return dict(self._ended_at)
