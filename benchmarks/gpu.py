"""What docs/performance.md lacks of a GPU, in one table and in less than twelve minutes.

    python -m benchmarks.gpu [--out FOLDER] [--only ROW …]
    python -m benchmarks.gpu --rehearse

Each row runs in a process of its own and has a budget in seconds, start and compilation included. A
row that fails, or does not end in time, keeps what it had measured, and the others go on.
``--rehearse`` runs the same rows at tiny sizes on a CPU, with replays rehearsed in place of
compiled steps (:mod:`iadd.runtime.graphs`): its numbers mean nothing, and it shows that every row
runs before a GPU is paid for.
"""

import argparse
import datetime
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import evaluation, teachers
from benchmarks.forecast import compare as compare_forecast
from benchmarks.matching import PAPER, PAPER_ITERATIONS, SMALL, gradient_error
from benchmarks.output import command
from benchmarks.page import file_name
from benchmarks.problem import Problem, Size, relative_error
from benchmarks.roofline import alternate, describe_machine, measure_peaks, seconds
from iadd import presets
from iadd.config import Config, Precision
from iadd.runtime.allocator import reuse_freed_memory
from iadd.runtime.compile import can_compile
from iadd.runtime.flops import count_flops
from iadd.runtime.graphs import using_graphs
from iadd.runtime.peak_memory import MemoryWatch

MOST_SECONDS = 720
"""What all rows may take together."""

REHEARSAL_SECONDS = 600
"""What each row of a rehearsal may take, however busy the machine is."""

PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "bfloat16")


class Measurement(NamedTuple):
    """One cell of the table."""

    what: str
    value: float
    unit: str = ""


Measurements = Iterator[Measurement]


@dataclass(frozen=True)
class Scale:
    """How large the rows are: what a GPU is measured with, or what a rehearsal takes.

    Attributes:
        device: Where they run.
        matching: The matching step: the paper's X-rays, 20 images of four classes.
        paper: The paper's own runtime case (section 4.2).
        memory: Of the comparison of peaks over J.
        run: Settings of teachers and evaluation networks.
        job: Settings of the job that is forecast and run.
        repeats: Calls of each variant; their median counts.
        side: Of the matrices of the peak; 0 takes what fills the device.
        peak_batch: Images of the convolution of the peak.
    """

    device: torch.device
    matching: Size
    paper: Size
    memory: Size
    run: Config
    job: Config
    repeats: int
    side: int = 0
    peak_batch: int = 0

    @classmethod
    def of_gpu(cls) -> "Scale":
        """The paper's sizes."""
        paper = presets.paper_covid_cxr()
        # Eager, so that the forecast and not the compiler is measured.
        job = paper.override(
            {
                **{"teachers": 2, "teacher_epochs": 12, "iterations": 20, "validate_every": 10},
                **{"evaluation_networks": 2, "evaluation_epochs": 40, "full_epochs": 4},
                **{"baseline_lrs": (0.01,), "initialisation": "noise", "compilation": "never"},
                "cross_networks": (),
            }
        )
        return cls(
            device=torch.device("cuda"),
            matching=Size(batch=80, steps=3),
            paper=PAPER,
            memory=Size(batch=80),
            run=paper,
            job=job,
            repeats=10,
        )

    @classmethod
    def of_rehearsal(cls) -> "Scale":
        """Sizes of a second each on a CPU."""
        tiny = Size(width=4, depth=2, image_size=16, classes=2, batch=4, steps=2)
        run = presets.cpu_demo().override(
            {
                **{"image_size": 16, "depth": 2, "width": 4, "teachers": 1, "teacher_epochs": 4},
                **{"iterations": 2, "syn_steps": 2, "warm_start_share": 0.0, "validate_every": 0},
                **{"evaluation_networks": 2, "evaluation_epochs": 2, "full_epochs": 1},
                **{"baseline_lrs": (0.01,), "initialisation": "noise", "images_per_class": 1},
            }
        )
        return cls(
            device=torch.device("cpu"),
            matching=tiny,
            paper=tiny,
            memory=tiny,
            run=run,
            job=run,
            repeats=2,
            side=64,
            peak_batch=1,
        )

    @property
    def compiles(self) -> bool:
        """Whether compiled variants run; a rehearsal replaces them by rehearsed replays."""
        return self.device.type == "cpu" or can_compile("cuda")

    def peak(self, precision: Precision) -> float:
        """FLOP/s that the device reaches."""
        return max(self.peaks(precision).values())

    def peaks(self, precision: Precision) -> dict[str, float]:
        """FLOP/s of two kernels, by name."""
        return measure_peaks(precision, self.device, side=self.side, batch=self.peak_batch)


def peak(scale: Scale) -> Measurements:
    """What the device reaches in each precision."""
    for precision in PRECISIONS:
        for kernel, value in scale.peaks(precision).items():
            yield Measurement(f"{kernel}, {precision}", value / 1e12, "TFLOP/s")


def exactness(scale: Scale) -> Measurements:
    """Gradients beside unrolled ones in float64, and each precision beside float64."""
    yield Measurement("gradient error, float64", gradient_error(scale.device))
    exact = Problem.make(SMALL, dtype=torch.float64, device=scale.device).ours(compiled=False)()
    for precision in PRECISIONS:
        found = Problem.make(SMALL, precision=precision, device=scale.device)
        error = relative_error(found.ours(compiled=False)(), exact)
        yield Measurement(f"error at {precision}", error)


def matching(scale: Scale, precision: Precision) -> Measurements:
    """The matching step beside the unrolled one, and its share of the peak."""
    size, device = scale.matching, scale.device
    problem = Problem.make(size, precision=precision, device=device)
    ways: dict[str, Callable[[], Any]] = {
        "unrolled": problem.unrolled(torch.contiguous_format),
        "unrolled, channels-last": problem.unrolled(torch.channels_last),
        "ours, eager": problem.ours(compiled=False),
    }
    for way in ways.values():
        way()
    took = alternate(ways, repeats=scale.repeats, device=device)
    for name, value in took.items():
        yield Measurement(name, 1e3 * value / size.steps, "ms per step")
    if scale.compiles:
        compiled = problem.ours(compiled=True, automatic=True)
        yield Measurement("first compiled call", seconds(compiled, device), "s")
        compiled()  # the call that records the graphs
        name = "ours, compiled"
        took |= alternate({name: compiled}, repeats=scale.repeats, device=device)
        yield Measurement(name, 1e3 * took[name] / size.steps, "ms per step")
    unrolled = min(value for name, value in took.items() if name.startswith("unrolled"))
    ours = min(value for name, value in took.items() if name.startswith("ours"))
    yield Measurement("speedup", unrolled / ours)
    # Counted on a CPU for one image: convolutions and products are linear in the batch.
    one = Problem.make(Size(**{**vars(size), "batch": 1})).ours(compiled=False)
    share = size.batch * count_flops(one) / ours / scale.peak(precision)
    yield Measurement("share of the peak", share)


def paper_case(scale: Scale) -> Measurements:
    """Ten iterations of fifty steps; 13.0 s on an RTX A6000 in the paper (section 4.2)."""
    for precision in ("float32", "tf32"):
        problem = Problem.make(scale.paper, precision=precision, device=scale.device)
        solve = problem.ours(compiled=False)
        solve()
        took = sum(seconds(solve, scale.device) for _ in range(PAPER_ITERATIONS))
        yield Measurement(f"ten iterations, {precision}, eager", took, "s")


def graphs(scale: Scale) -> Measurements:
    """The paper's case, at tf32, compiled with and without CUDA graphs."""
    if not scale.compiles:
        return
    is_rehearsal = scale.device.type == "cpu"
    for name, kind in (("without graphs", "off"), ("with graphs", "recorded")):
        with using_graphs("rehearsed" if is_rehearsal else kind):
            problem = Problem.make(scale.paper, precision="tf32", device=scale.device)
            solve = problem.ours(compiled=True, automatic=True)
            solve(), solve()
        took = sum(seconds(solve, scale.device) for _ in range(PAPER_ITERATIONS))
        yield Measurement(f"ten iterations, {name}", took, "s")


def teaching(scale: Scale) -> Measurements:
    """Teachers of the paper's X-rays, and how long all of them would take."""
    config = scale.run.override({"precision": "tf32"})
    found = teachers.measure(
        config, rounds=2 * scale.repeats, compiled=scale.compiles, device=scale.device
    )
    for name, pace in found["images_per_second"].items():
        yield Measurement(name, pace, "images/s")
    yield Measurement("speedup over the plain loop", found["speedup"])
    passes = teachers.projection(config, max(found["images_per_second"].values()))
    yield Measurement("100 teachers of 50 epochs, projected", passes / 60, "h")


def evaluating(scale: Scale) -> Measurements:
    """Evaluation networks together, beside one by one."""
    config = scale.run.override(
        {"precision": "tf32", "evaluation_epochs": 2, "images_per_class": 3}
    )
    found = evaluation.measure(
        config, rounds=2, device=scale.device, peak=scale.peak(config.compute.precision)
    )
    for name, value in found["seconds_per_network_epoch"].items():
        yield Measurement(name.replace("_", " "), 1e3 * value, "ms per network and pass")
    yield Measurement("speedup together", found["speedup"])
    yield Measurement("largest difference of a probability", found["max_difference"])


def memory(scale: Scale) -> Measurements:
    """What a call takes beyond what was held, over J."""
    peaks = {}
    for which, steps in (("ours", 10), ("ours", 40), ("unrolled", 5), ("unrolled", 10)):
        problem = Problem.make(Size(**{**vars(scale.memory), "steps": steps}), device=scale.device)
        solve: Callable[[], Any] = (
            problem.ours(compiled=False)
            if which == "ours"
            else problem.unrolled(torch.contiguous_format)
        )
        with MemoryWatch(scale.device) as watch:
            solve()
        peaks[which, steps] = watch.peak - watch.before
        yield Measurement(f"{which}, J = {steps}", peaks[which, steps] / 1e6, "MB")
    if peaks["ours", 10]:
        yield Measurement("growth from J = 10 to 40", peaks["ours", 40] / peaks["ours", 10])


def forecast(scale: Scale) -> Measurements:
    """A small job beside its forecast: time and memory."""
    found = compare_forecast(scale.job, scale.device)
    for name, unit, scaled in (("seconds", "s", 1.0), ("peak_bytes", "MB", 1e-6)):
        for side in ("forecast", "actual"):
            what = f"{name.split('_')[0]}, {side}"
            yield Measurement(what, scaled * found[name][side], unit)


@dataclass(frozen=True)
class Row:
    """One row: what it measures, and the most seconds that it may take."""

    name: str
    budget: int
    measure: Callable[[Scale], Measurements]


ROWS = (
    Row("peak", 25, peak),
    Row("exactness", 40, exactness),
    Row("matching float32", 90, lambda scale: matching(scale, "float32")),
    Row("matching tf32", 90, lambda scale: matching(scale, "tf32")),
    Row("matching bfloat16", 90, lambda scale: matching(scale, "bfloat16")),
    Row("paper case", 40, paper_case),
    Row("graphs", 100, graphs),
    Row("teachers", 90, teaching),
    Row("evaluation", 40, evaluating),
    Row("memory", 30, memory),
    Row("forecast", 80, forecast),
)
"""What runs, in this order. The start of the process, some ten seconds, counts in each."""


@dataclass(frozen=True)
class Outcome:
    """What a row measured, how long it took, and what went wrong; empty where nothing did."""

    row: str
    found: tuple[Measurement, ...]
    took: float
    problem: str = ""


def run_row(row: Row, *, rehearse: bool, most: int) -> Outcome:
    """Run a row in a process of its own, for so many seconds at most."""
    line = [sys.executable, "-m", "benchmarks.gpu", "--row", row.name]
    line += ["--rehearse"] if rehearse else []
    start, problem = time.perf_counter(), ""
    try:
        finished = subprocess.run(line, capture_output=True, text=True, timeout=most, check=False)
        printed = finished.stdout
        if finished.returncode != 0:
            problem = (finished.stderr.strip().splitlines() or ["It gave no reason."])[-1]
    except subprocess.TimeoutExpired as expired:
        # Of an expired process the output is bytes, whatever was asked for.
        printed = (expired.stdout or b"").decode() if not isinstance(expired.stdout, str) else ""
        problem = f"It did not end within {most} s."
    return Outcome(row.name, read_measurements(printed), time.perf_counter() - start, problem)


def read_measurements(printed: str) -> tuple[Measurement, ...]:
    """Read the lines that a row has printed; one that was cut off is left out."""
    found = []
    for line in printed.splitlines():
        try:
            found.append(Measurement(*json.loads(line)))
        except (json.JSONDecodeError, TypeError):
            continue
    return tuple(found)


def print_row(row: Row, scale: Scale) -> None:
    """Measure a row and print each number as soon as it is known."""
    reuse_freed_memory()
    rehearses = scale.device.type == "cpu"
    if rehearses:
        torch.set_num_threads(1)  # what is so small only waits for more of them
    with using_graphs("rehearsed") if rehearses else nullcontext():
        for measurement in row.measure(scale):
            print(json.dumps(measurement), flush=True)


def to_table(outcomes: Sequence[Outcome], machine: dict[str, Any], *, rehearsal: bool) -> str:
    """Format all outcomes as one Markdown table, with the machine above and failures in place."""
    device = machine["gpu"] or machine["cpu"]
    versions = f"PyTorch {machine['torch']}, CUDA {machine['cuda']}, cuDNN {machine['cudnn']}"
    lines = [f"`{command()}`", "", f"{device}; {versions}; {sum(o.took for o in outcomes):.0f} s."]
    if rehearsal:
        lines += ["", "**A rehearsal on a CPU, at tiny sizes: these numbers mean nothing.**"]
    lines += ["", "| row | measured | value | |", "|---|---|---:|---|"]
    for outcome in outcomes:
        for what, value, unit in outcome.found:
            lines.append(f"| {outcome.row} | {what} | {value:.4g} | {unit} |")
        if outcome.problem:
            said = outcome.problem.replace("|", "\\|")
            lines.append(f"| {outcome.row} | **not finished**: {said} | | |")
    return "\n".join(lines) + "\n"


def main(words: Sequence[str] | None = None) -> None:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes on a CPU")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="ROW")
    parser.add_argument("--out", type=Path, help="folder to write a dated page to")
    parser.add_argument("--row", choices=names, help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if not given.rehearse and not torch.cuda.is_available():
        sys.exit("This machine has no CUDA device: --rehearse runs the same rows on its CPU.")
    if given.row:
        (row,) = (row for row in ROWS if row.name == given.row)
        print_row(row, Scale.of_rehearsal() if given.rehearse else Scale.of_gpu())
        return
    outcomes = []
    for row in ROWS:
        if row.name in given.only:
            most = REHEARSAL_SECONDS if given.rehearse else row.budget
            print(f"{row.name}, {most} s at most …", file=sys.stderr, flush=True)
            outcomes.append(run_row(row, rehearse=given.rehearse, most=most))
    machine = describe_machine("cpu" if given.rehearse else "cuda")
    table = to_table(outcomes, machine, rehearsal=given.rehearse)
    print(table)
    if given.out:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        given.out.mkdir(parents=True, exist_ok=True)
        path = given.out / file_name(machine, today)
        path.write_text(f"# GPU benchmarks, {today}\n\n{table}", encoding="utf-8")
        print(path)
    if failed := [outcome.row for outcome in outcomes if outcome.problem]:
        sys.exit(f"Not finished: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
