"""Chooses how compiled steps are replayed on a GPU, and rehearses it where there is none.

A compiled step's kernels are recorded once and replayed as a whole (CUDA graphs), so that the
Python between them costs nothing. The price is a rule that no other machine checks: all recorded
steps share their memory, and the next call of any of them overwrites what the call before it
returned. A rehearsal keeps to the rule on a CPU: it computes eagerly, and destroys the results of
the call before, so that code that kept one computes with what a GPU would give it, or worse.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypeVar, cast

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

Graphs = Literal["recorded", "off", "rehearsed"]
"""``recorded``: CUDA graphs. ``off``: compiled without them. ``rehearsed``: neither compiled nor
recorded, for any device."""

F = TypeVar("F", bound=Callable[..., Any])

_chosen: ContextVar[Graphs | None] = ContextVar("graphs", default=None)
_results: list[Tensor] = []
"""What the last call of any rehearsed step returned."""


@contextmanager
def using_graphs(graphs: Graphs) -> Iterator[None]:
    """Choose how steps that are compiled within the block are replayed, also after it."""
    token = _chosen.set(graphs)
    try:
        yield
    finally:
        _chosen.reset(token)


def chosen_graphs() -> Graphs:
    """Return how steps are replayed: as chosen, else recorded where there is a GPU."""
    return _chosen.get() or ("recorded" if torch.cuda.is_available() else "off")


def record(compiled: F) -> F:
    """Wrap a step compiled with ``mode="reduce-overhead"``: each call begins a replay."""

    def replay(*tensors: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()
        return compiled(*tensors)

    return cast(F, replay)


def rehearse(step: F) -> F:
    """Wrap a step so that each call destroys what the last call of any rehearsed step returned.

    Floats become NaN and whole numbers the largest of their type.
    """

    def replay(*tensors: Any) -> Any:
        with torch.no_grad():
            while _results:
                _destroy(_results.pop())
        # Copies: a step may return what it was given, and the caller's own tensors stay whole.
        found = tree_map(
            lambda one: one.clone() if isinstance(one, Tensor) else one, step(*tensors)
        )
        _results.extend(one for one in tree_leaves(found) if isinstance(one, Tensor))
        return found

    return cast(F, replay)


def _destroy(result: Tensor) -> None:
    if result.is_floating_point():
        result.fill_(torch.nan)
    elif result.dtype == torch.bool:
        result.logical_not_()
    else:
        result.fill_(torch.iinfo(result.dtype).max)
