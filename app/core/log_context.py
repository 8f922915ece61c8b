"""Ids that every line of the log carries: of the request, of the job, of the organisation.

They are held per task of the event loop and per thread. A request's threads share what its
middleware began, so that the caller, who is looked up in one of them, is known to the others.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

FIELDS = ("request_id", "job_id", "task", "organisation_id", "worker", "trace_id")
"""What a line may carry, in this order: ids and names of ours, nothing that a person typed."""

_ids: ContextVar[dict[str, str] | None] = ContextVar("log_ids", default=None)
_of_process: dict[str, str] = {}


@contextmanager
def log_context(**ids: str | None) -> Iterator[None]:
    """Add ids to the lines that are logged within the block."""
    token = _ids.set({**(_ids.get() or {}), **_known(ids)})
    try:
        yield
    finally:
        _ids.reset(token)


def add_to_log(**ids: str | None) -> None:
    """Add ids to the lines of the block that this is called in; does nothing outside of one."""
    inside = _ids.get()
    if inside is not None:
        inside.update(_known(ids))


def add_to_every_line(**ids: str) -> None:
    """Add ids to all lines of this process."""
    _of_process.update(_known(ids))


def logged_ids() -> Mapping[str, str]:
    """The ids of a line that is logged here and now."""
    found = {**_of_process, **(_ids.get() or {})}
    return {name: found[name] for name in FIELDS if name in found}


def _known(ids: Mapping[str, str | None]) -> dict[str, str]:
    unknown = ids.keys() - set(FIELDS)
    assert not unknown, f"no field of the log: {', '.join(unknown)}"
    return {name: value for name, value in ids.items() if value is not None}
