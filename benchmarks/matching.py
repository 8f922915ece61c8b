"""The matching step beside a plain unrolled implementation, and beside what the machine can do.

    python -m benchmarks.matching [--json] [--width 128 --image-size 112 --batch 16 …]
    python -m benchmarks.matching --paper-case [--json]

``gradient_error`` is relative, in float64, on a small problem with augmentation. ``speedup`` is
unrolled seconds over ours: both in the same precision, in turn, the median of the repeats after a
warm-up, each in its fastest variant (unrolled: default or channels-last layout; ours: eager,
compiled, or compiled and differentiated automatically, which is another for a ConvNet on a CPU).
``memory_growth`` is what a call takes at J = 40 over what it takes at J = 10, each in a
process of its own. ``fraction_of_peak`` is our operations per second over the peak measured in the
same run, and ``speedup_bound`` what the speedup would be if ours ran at that peak.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any, get_args

import torch

from benchmarks.output import command, print_result
from benchmarks.problem import Problem, Size, relative_error
from benchmarks.roofline import alternate, describe_machine, measure_peaks, seconds
from iadd.config import Precision
from iadd.runtime.allocator import reuse_freed_memory
from iadd.runtime.compile import can_compile
from iadd.runtime.flops import count_flops
from iadd.runtime.peak_memory import MemoryWatch

SMALL = Size(width=8, depth=3, image_size=16, classes=3, batch=7, steps=6)
"""Of the comparison in float64."""

MEMORY = Size(width=32, depth=4, image_size=64, batch=16)
"""Of the comparison of peaks, small so that J = 40 ends in seconds."""

GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Freed blocks go back to the system at once: else a peak tells the allocator's habits too."""

PAPER = Size(width=128, depth=3, image_size=32, channels=3, classes=10, batch=100, steps=50)
"""The runtime case of section 4.2, CIFAR-10 at ten images per class."""

PAPER_ITERATIONS = 10


def compare(
    size: Size, *, precision: Precision, device: torch.device, repeats: int
) -> dict[str, Any]:
    """Times, operations and peaks of both implementations at one size."""
    problem = Problem.make(size, precision=precision, device=device)
    functions: dict[str, Any] = {
        "unrolled_default": problem.unrolled(torch.contiguous_format),
        "unrolled_channels_last": problem.unrolled(torch.channels_last),
        "ours_eager": problem.ours(compiled=False),
    }
    compile_seconds = None
    if can_compile(device.type):
        functions["ours_compiled"] = problem.ours(compiled=True)
        first = seconds(functions["ours_compiled"], device)
        compile_seconds = first - seconds(functions["ours_compiled"], device)
        functions["ours_automatic"] = problem.ours(compiled=True, automatic=True)
        functions["ours_automatic"]()
    # Two ways to sum differ from each other by what either differs from exact numbers: each is
    # held to float64 by itself.
    exact = Problem.make(size, dtype=torch.float64, device=device).ours(compiled=False)()
    errors = {name: relative_error(function(), exact) for name, function in functions.items()}
    took = alternate(functions, repeats=repeats, device=device)
    unrolled, ours = (
        min((name for name in took if name.startswith(kind)), key=took.__getitem__)
        for kind in ("unrolled", "ours")
    )
    flops = flops_of(size, ours)
    peaks = measure_peaks(precision, device)
    peak = max(peaks.values())
    return {
        "speedup": took[unrolled] / took[ours],
        "speedup_bound": took[unrolled] / (flops["ours"] / peak),
        "fraction_of_peak": flops["ours"] / took[ours] / peak,
        "unrolled_fraction_of_peak": flops["unrolled"] / took[unrolled] / peak,
        "unrolled": unrolled,
        "ours": ours,
        "seconds_per_step": {name: value / size.steps for name, value in took.items()},
        "compile_seconds": compile_seconds,
        "operations_per_step": {name: n / size.steps for name, n in flops.items()},
        "peaks": peaks,
        "error_at_precision": errors,
        "repeats": repeats,
    }


def flops_of(size: Size, ours: str) -> dict[str, float]:
    """Operations of one call of each: those of one image, times the images.

    Counted where nothing has to fit in memory; convolutions and products are linear in the batch.
    """
    one = Problem.make(Size(**{**vars(size), "batch": 1}))
    return {
        "unrolled": size.batch * count_flops(one.unrolled(torch.contiguous_format)),
        "ours": size.batch
        * count_flops(one.ours(compiled=ours != "ours_eager", automatic=ours == "ours_automatic")),
    }


def gradient_error(device: torch.device) -> float:
    """Of the small problem, in float64."""
    problem = Problem.make(SMALL, dtype=torch.float64, device=device)
    return relative_error(
        problem.ours(compiled=False)(), problem.unrolled(torch.contiguous_format)()
    )


def peak_bytes(which: str, steps: int, device: torch.device) -> int:
    """Memory that one call takes at its peak beyond what the process held before it."""
    problem = Problem.make(Size(**{**vars(MEMORY), "steps": steps}), device=device)
    solve: Any = (
        problem.ours(compiled=False)
        if which == "ours"
        else problem.unrolled(torch.contiguous_format)
    )
    with MemoryWatch(device) as watch:
        solve()
    return watch.peak - watch.before


def memory(device: torch.device) -> dict[str, Any]:
    """What a call takes at several J, each measured in a fresh process."""
    peaks = {}
    # The unrolled one would need gigabytes at J = 40: 20 shows how it grows.
    for which, steps in (("ours", 10), ("ours", 40), ("unrolled", 10), ("unrolled", 20)):
        line = [sys.executable, "-m", "benchmarks.matching", "--device", str(device)]
        line += ["--peak-of", which, "--steps", str(steps)]
        finished = subprocess.run(
            line, check=True, capture_output=True, text=True, env={**os.environ, **GIVES_BACK}
        )
        peaks[f"{which}_{steps}"] = int(json.loads(finished.stdout))
    return {
        "memory_growth": peaks["ours_40"] / peaks["ours_10"],
        "unrolled_memory_growth_10_to_20": peaks["unrolled_20"] / peaks["unrolled_10"],
        "memory_peaks": peaks,
        "memory_size": vars(MEMORY) | {"steps": [10, 20, 40]},
    }


def paper_case(*, precision: Precision, device: torch.device, steps: int) -> dict[str, Any]:
    """Seconds of ten iterations of fifty steps; fewer steps are measured and projected."""
    size = Size(**{**vars(PAPER), "steps": steps})
    problem = Problem.make(size, precision=precision, device=device)
    iterations = PAPER_ITERATIONS if steps == PAPER.steps else 1
    variants = {"eager": problem.ours(compiled=False)}
    if can_compile(device.type):
        variants["compiled"] = problem.ours(compiled=True)
    found = {}
    for name, solve in variants.items():
        solve(), solve()
        took = sum(seconds(solve, device) for _ in range(iterations))
        found[name] = took * PAPER_ITERATIONS * PAPER.steps / (iterations * steps)
    best = min(found, key=found.__getitem__)
    flops = flops_of(size, f"ours_{best}")["ours"] / steps
    flops *= PAPER_ITERATIONS * PAPER.steps
    peaks = measure_peaks(precision, device)
    return {
        "seconds": found[best],
        "ours": best,
        "variants": found,
        "measured_steps": iterations * steps,
        "projected": iterations * steps != PAPER_ITERATIONS * PAPER.steps,
        "operations": flops,
        "peaks": peaks,
        "fraction_of_peak": flops / found[best] / max(peaks.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="in one line")
    for name, value in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="float32", choices=get_args(Precision))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--paper-case", action="store_true")
    parser.add_argument("--paper-steps", type=int, help="steps to measure; 50, or 2 on a CPU")
    parser.add_argument("--peak-of", choices=["ours", "unrolled"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    device, started = torch.device(given.device), time.perf_counter()
    if given.peak_of:
        print(peak_bytes(given.peak_of, given.steps, device))
        return
    reuse_freed_memory()
    machine = describe_machine(device)
    result: dict[str, Any]
    if given.paper_case:
        steps = given.paper_steps or (PAPER.steps if device.type == "cuda" else 2)
        precisions = ("tf32", "float32") if device.type == "cuda" else (given.precision,)
        result = {
            "size": vars(PAPER) | {"iterations": PAPER_ITERATIONS},
            "paper_case": {
                name: paper_case(precision=name, device=device, steps=steps) for name in precisions
            },
        }
    else:
        size = Size(**{name: getattr(given, name) for name in vars(Size())})
        result = {
            "gradient_error": gradient_error(device),
            **compare(size, precision=given.precision, device=device, repeats=given.repeats),
            **memory(device),
            "size": vars(size),
            "precision": given.precision,
        }
    result |= {
        "machine": machine,
        "command": command(),
        "benchmark_seconds": round(time.perf_counter() - started, 1),
    }
    print_result(result, one_line=given.json)


if __name__ == "__main__":
    main()
