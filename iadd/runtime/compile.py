"""Compiles training steps, and decides when that pays.

A compiled step fuses norms, activations and pooling and saves the passes over memory between
them; compiling it costs tens of seconds, less when the cache of an earlier job holds it. The
choice depends on a count of FLOPs and never on a clock: a run that resumes has to choose the same,
since compiled and eager steps round differently.
"""

import logging
import os
import shutil
import sys
import sysconfig
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch

from iadd.config import Config
from iadd.counts import WORTH_COMPILING
from iadd.runtime.graphs import chosen_graphs, record, rehearse

SECONDS_TO_COMPILE = 80.0
"""Time to compile both functions of a step on two cores with an empty cache."""

_SAVED_PER_STEP = {"cpu": 8e-3, "cuda": 2e-3}
_SAVED_PER_FLOP = {"cpu": 2.5e-12, "cuda": 2e-14}
"""Seconds that compiling saves: for each step (what lies between the convolutions), and for each
FLOP (``python -m benchmarks.matching``; a GPU's are assumed)."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class CompilationChoice:
    """The choice whether a run compiles, with its reason as a sentence for people."""

    compiled: bool
    reason: str


def choose_compilation(
    config: Config, saved: float, device: torch.device | str
) -> CompilationChoice:
    """Decide whether a run compiles its steps.

    Args:
        config: ``config.compute.compilation`` decides, or leaves it to the count.
        saved: Seconds that compiled steps save in the whole run, by count
            (:mod:`iadd.training.cost_model`).
        device: Device of the run.
    """
    kind = torch.device(device).type
    setting = config.compute.compilation
    if setting == "never":
        return CompilationChoice(False, "steps are computed eagerly, as set")
    if not can_compile(kind):
        return CompilationChoice(
            False,
            "steps are computed eagerly: this machine has no "
            + ("C compiler with Python's headers" if kind == "cuda" else "C++ compiler"),
        )
    if setting == "always":
        return CompilationChoice(True, "steps are compiled, as set")
    if saved < WORTH_COMPILING * SECONDS_TO_COMPILE:
        return CompilationChoice(
            False, f"steps are computed eagerly: compiling would save about {saved:.0f} s"
        )
    return CompilationChoice(
        True, f"steps are compiled, which saves about {saved / 60:.0f} min; the first takes longer"
    )


def seconds_saved(flops: float, device: torch.device | str, *, steps: int = 0) -> float:
    """Estimate the seconds that compiled steps save over eager ones."""
    kind = torch.device(device).type
    return steps * saved_per_step(kind) + flops * saved_per_flop(kind)


def saved_per_step(device_type: str) -> float:
    """Return the seconds that compiling saves in each step, however small the step."""
    return _SAVED_PER_STEP.get(device_type, 0.0)


def saved_per_flop(device_type: str) -> float:
    """Return the seconds that compiling saves for each FLOP."""
    return _SAVED_PER_FLOP.get(device_type, 0.0)


def can_compile(device_type: str) -> bool:
    """Return whether this machine has the tools to compile for the device."""
    if device_type == "cuda":
        # Triton builds a launcher in C, against Python's headers, for each compiled function.
        has_headers = (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()
        has_compiler = "CC" in os.environ or any(shutil.which(name) for name in ("gcc", "clang"))
        return sys.platform == "linux" and has_headers and has_compiler
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


def compile_step(function: F) -> F:
    """Compile a function of tensors, once for each shape of its arguments.

    On a GPU its kernels are recorded once and replayed as a whole (CUDA graphs,
    :mod:`iadd.runtime.graphs`). There the next call overwrites a call's results: copy or use them
    before.
    """
    graphs = chosen_graphs()
    if graphs == "rehearsed":
        return rehearse(function)
    _silence_pytorch()
    if graphs == "off":
        return cast(F, torch.compile(function, dynamic=False))
    return record(cast(F, torch.compile(function, dynamic=False, mode="reduce-overhead")))


def _silence_pytorch() -> None:
    """Suppress PyTorch's internal warnings and log lines about compiling."""
    warnings.filterwarnings(
        "ignore", message=r".*torch\.jit\.script. is deprecated", category=FutureWarning
    )
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
