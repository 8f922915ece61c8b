"""When compiling a training step pays, and what is compiled.

A compiled step fuses norms, activations and pooling and saves the passes over memory between
them; compiling it costs tens of seconds, less when the cache of an earlier job holds it. The
choice follows from a count of operations and never from a clock: a run that resumes has to choose
alike, since the two ways round differently.
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

SECONDS_TO_COMPILE = 80.0
"""What compiling both functions of a step costs on two cores with nothing cached."""

_SAVED_PER_STEP = {"cpu": 8e-3, "cuda": 2e-3}
_SAVED_PER_OPERATION = {"cpu": 2.5e-12, "cuda": 2e-14}
"""Seconds that compiling saves: for each step, which is what lies between the convolutions, and for
each floating point operation (``python -m benchmarks.matching``; a GPU's are assumed)."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class CompilationChoice:
    """Whether a run compiles, and why: a sentence for people."""

    compiled: bool
    reason: str


def choose_compilation(
    config: Config, operations: float, device: torch.device | str, *, steps: int = 0
) -> CompilationChoice:
    """Decide whether a run compiles its steps.

    Args:
        config: ``config.compute.compilation`` decides, or leaves it to the count.
        operations: Floating point operations of the whole run (:mod:`iadd.training.cost_model`).
        device: Where it computes.
        steps: In which it does them.
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
    saved = seconds_saved(operations, kind, steps=steps)
    if saved < WORTH_COMPILING * SECONDS_TO_COMPILE:
        return CompilationChoice(
            False, f"steps are computed eagerly: compiling would save about {saved:.0f} s"
        )
    return CompilationChoice(
        True, f"steps are compiled, which saves about {saved / 60:.0f} min; the first takes longer"
    )


def seconds_saved(operations: float, device: torch.device | str, *, steps: int = 0) -> float:
    """Seconds that compiled steps of so many operations save beside eager ones."""
    kind = torch.device(device).type
    return steps * saved_per_step(kind) + operations * saved_per_operation(kind)


def saved_per_step(device_type: str) -> float:
    """Seconds of each step that compiling saves, however small the step."""
    return _SAVED_PER_STEP.get(device_type, 0.0)


def saved_per_operation(device_type: str) -> float:
    """Seconds of each floating point operation that compiling saves."""
    return _SAVED_PER_OPERATION.get(device_type, 0.0)


def can_compile(device_type: str) -> bool:
    """Whether this machine has what compiling for the device needs."""
    if device_type == "cuda":
        # Triton builds a launcher in C, against Python's headers, for what it compiles.
        has_headers = (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()
        has_compiler = "CC" in os.environ or any(shutil.which(name) for name in ("gcc", "clang"))
        return sys.platform == "linux" and has_headers and has_compiler
    return any(shutil.which(name) for name in ("g++", "clang++", "c++"))


def compile_step(function: F) -> F:
    """Compile a function of tensors, one program for each shape that it meets.

    On a GPU its kernels are recorded once and replayed as a whole (CUDA graphs), so that the
    Python between them costs nothing. There a call's results are overwritten by the next call:
    what is kept has to be copied, or used up, before.
    """
    _quieten()
    if not torch.cuda.is_available():
        return cast(F, torch.compile(function, dynamic=False))
    compiled = torch.compile(function, dynamic=False, mode="reduce-overhead")

    def replay(*tensors: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()
        return compiled(*tensors)

    return cast(F, replay)


def _quieten() -> None:
    """Keep what PyTorch tells of itself while compiling from the people who wait."""
    warnings.filterwarnings(
        "ignore", message=r".*torch\.jit\.script. is deprecated", category=FutureWarning
    )
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
