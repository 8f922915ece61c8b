"""What is told of a job before it starts: how long, how much memory, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from app.core.errors import problem_dict
from app.core.types import JsonObject
from iadd.config import SETTINGS
from iadd.forecast.arithmetic import DeviceBenchmark, Job, disk_bytes, job_seconds, peak_bytes

FEWEST_EARLIER = 3
"""Finished distillations that it takes to correct what was measured by what they took."""
USUAL_LOW, USUAL_HIGH = 0.7, 1.6
"""The range without them: a machine has other things to do, and hardly ever fewer."""
NARROWEST = 0.1
"""However well the earlier ones were foreseen, the next may differ by this much."""
USABLE_MEMORY = 0.95


@dataclass(frozen=True)
class Outcome:
    """A finished distillation, beside what was told of it."""

    measured_seconds: float
    told_seconds: float
    actual_seconds: float


def make_estimate(
    benchmark: DeviceBenchmark,
    job: Job,
    *,
    measured_at: datetime,
    earlier: Sequence[Outcome],
    teachers_are_there: bool,
) -> JsonObject:
    """The estimate as it is stored and shown."""
    phases = job_seconds(benchmark, job).phases
    if teachers_are_there:
        phases["teaching"] = 0.0
    measured = sum(phases.values())
    ratios = [one.actual_seconds / one.measured_seconds for one in earlier]
    corrected = len(ratios) >= FEWEST_EARLIER
    factor = median(ratios) if corrected else 1.0
    low, high = USUAL_LOW, USUAL_HIGH
    if corrected:
        low = min(min(ratios) / factor, 1 - NARROWEST)
        high = max(max(ratios) / factor, 1 + NARROWEST)
    told = measured * factor
    return {
        "seconds": told,
        "low_seconds": told * low,
        "high_seconds": told * high,
        "phases": {name: value * factor for name, value in phases.items()},
        "measured_seconds": measured,
        "peak_bytes": peak_bytes(benchmark, job),
        "memory_bytes": benchmark.memory_bytes,
        "disk_bytes": disk_bytes(benchmark, job),
        "device": benchmark.device,
        "measured_at": measured_at.isoformat(),
        "basis": _basis(benchmark, measured_at, len(ratios) if corrected else 0),
        "teachers_are_there": teachers_are_there,
        "in_parts": _is_in_parts(benchmark, job),
        "earlier": _accuracy(earlier),
    }


def _basis(benchmark: DeviceBenchmark, measured_at: datetime, corrected_by: int) -> str:
    """In a sentence, what the numbers come from."""
    day = f"{measured_at:%Y-%m-%d}"
    where = f"measured on a worker ({benchmark.device}) on {day}"
    if corrected_by:
        where = f"from {corrected_by} earlier distillations on this device, and steps {where}"
    busy = ", while other work took most of that machine" if benchmark.was_disturbed else ""
    return f"{where}{busy}"


def _accuracy(earlier: Sequence[Outcome]) -> JsonObject | None:
    """How far off what was told has been so far; None where nothing has finished yet."""
    if not earlier:
        return None
    errors = [abs(one.actual_seconds / one.told_seconds - 1) for one in earlier]
    return {
        "distillations": len(earlier),
        "typical_error": median(errors),
        "largest_error": max(errors),
    }


def _fits(benchmark: DeviceBenchmark, job: Job) -> bool:
    return peak_bytes(benchmark, job) <= benchmark.memory_bytes * USABLE_MEMORY


def _is_in_parts(benchmark: DeviceBenchmark, job: Job) -> bool:
    """A GPU that runs out of memory goes on with fewer images at once: it fits, and is slower."""
    return (
        benchmark.kind == "cuda"
        and not _fits(benchmark, job)
        and _fits(benchmark, _changed(job, "micro_batch_size", 1))
    )


def misfit(benchmark: DeviceBenchmark, job: Job) -> JsonObject | None:
    """Why a job cannot be run on this device, and what could; None where it can."""
    if _fits(benchmark, job) or _is_in_parts(benchmark, job):
        return None
    fits = what_fits(benchmark, job)
    if "images_per_class" in fits:
        advice = f"Ask for {fits['images_per_class']} images per class at most"
        if "micro_batch_size" in fits:
            advice += f", or set micro_batch_size to {fits['micro_batch_size']}"
        advice += "."
    elif "micro_batch_size" in fits:
        advice = f"Set micro_batch_size to {fits['micro_batch_size']}."
    else:
        advice = "Choose a smaller preset, a narrower network or a smaller teacher_batch_size."
    needed = peak_bytes(benchmark, job)
    return problem_dict(
        code="does-not-fit",
        title="These settings need more memory than the worker has",
        status=422,
        detail=f"The job would take {_gigabytes(needed)} of memory, and the worker's device "
        f"({benchmark.device}) has {_gigabytes(benchmark.memory_bytes)}. Nothing was started. "
        f"{advice}",
        needed_bytes=needed,
        memory_bytes=benchmark.memory_bytes,
        fits=fits,
    )


def what_fits(benchmark: DeviceBenchmark, job: Job) -> dict[str, int]:
    """The largest of some settings, each by itself, with which the job fits."""
    fits: dict[str, int] = {}
    for name, most in (
        ("images_per_class", job.config.distillation.images_per_class),
        ("micro_batch_size", job.batch),
    ):
        largest = _largest(benchmark, job, name, most)
        if largest:
            fits[name] = largest
    return fits


def _largest(benchmark: DeviceBenchmark, job: Job, name: str, most: int) -> int:
    """By halving: more of it never takes less memory. 0 where not even one fits."""
    low, high = 0, min(most, SETTINGS[name].allowed[1])
    while low < high:
        middle = (low + high + 1) // 2
        if _fits(benchmark, _changed(job, name, middle)):
            low = middle
        else:
            high = middle - 1
    return low


def _changed(job: Job, name: str, value: int) -> Job:
    return replace(job, config=job.config.override({name: value}))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
