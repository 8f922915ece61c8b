"""Estimate of a job before it starts: time, memory, and how sure both are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from app.core.errors import problem_dict
from app.core.types import JsonObject
from iadd.config import SETTINGS
from iadd.forecast.arithmetic import DeviceBenchmark, Job, forecast_job, peak_bytes

FEWEST_EARLIER = 3
"""Finished distillations from which on their times correct what was measured."""
USUAL_LOW, USUAL_HIGH = 0.7, 1.6
"""Range of the estimate without them: machines are busier than while they were measured."""
NARROWEST = 0.1
"""Least share by which the range goes up and down, however exact earlier estimates were."""
USABLE_MEMORY = 0.95
PROVEN = (
    "A proof takes its place: attacks are run on the run itself, and their figures stay inside."
)
PRIVATE_BASIS = (
    "Under differential privacy teachers need gradients of single images, which the measured "
    "steps do not have: a fifth is added for them, and it may be a tenth or a third"
)
"""Without a full stop: where it is shown one follows."""

_INCONCLUSIVE = (
    " That is too little to clear a release: the verdict will be inconclusive, or refuted."
)


@dataclass(frozen=True)
class Outcome:
    """Time of a finished distillation, and the times forecast for it."""

    measured_seconds: float
    forecast_seconds: float
    actual_seconds: float


def make_estimate(
    benchmark: DeviceBenchmark,
    job: Job,
    *,
    measured_at: datetime,
    earlier: Sequence[Outcome],
    teachers_are_there: bool,
    audit: JsonObject,
) -> JsonObject:
    """Make the estimate as it is stored and shown."""
    forecast = forecast_job(benchmark, job)
    phases = forecast.statuses
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
    expected = measured * factor
    return {
        "seconds": expected,
        "low_seconds": expected * low,
        "high_seconds": expected * high,
        "phases": {name: value * factor for name, value in phases.items()},
        "audit": {**audit, "text": audit_text(audit, phases.get("auditing", 0.0) * factor)},
        "measured_seconds": measured,
        "peak_bytes": forecast.peak_bytes,
        "memory_bytes": benchmark.memory_bytes,
        "disk_bytes": forecast.disk_bytes,
        "device": forecast.device,
        "measured_at": measured_at.isoformat(),
        "basis": _basis(benchmark, job, measured_at, len(ratios) if corrected else 0),
        "teachers_are_there": teachers_are_there,
        "in_parts": _is_in_parts(benchmark, job),
        "earlier": _accuracy(earlier),
    }


def audit_text(audit: JsonObject, seconds: float | None) -> str:
    """What the audit can find, what it takes where that is known, and whether it can clear."""
    if audit.get("proven"):
        return PROVEN
    runs, finds = audit["runs"], audit["finds"]
    clears = "" if audit["clears"] else _INCONCLUSIVE
    if finds is None:
        found = "says nothing of how large a leak would be found"
    else:
        found = f"finds leaks of {100 * finds:.2g} % and more"
    if not runs:
        return f"The run itself alone: {found}; no extra time.{clears}"
    time = "" if seconds is None else f"; about {_duration(seconds)} here"
    return f"{runs} runs: {found}{time}.{clears}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.0f} hours"


def _basis(benchmark: DeviceBenchmark, job: Job, measured_at: datetime, corrected_by: int) -> str:
    """Name the source of the numbers, in a sentence."""
    day = f"{measured_at:%Y-%m-%d}"
    where = f"measured on a worker ({benchmark.device}) on {day}"
    if corrected_by:
        where = f"from {corrected_by} earlier distillations on this device, and steps {where}"
    busy = ", while other work took most of that machine" if benchmark.was_disturbed else ""
    slower = f". {PRIVATE_BASIS}" if job.config.protection.privacy == "dp" else ""
    return f"{where}{busy}{slower}"


def _accuracy(earlier: Sequence[Outcome]) -> JsonObject | None:
    """Errors of earlier forecasts; None where nothing has finished yet."""
    if not earlier:
        return None
    errors = [abs(one.actual_seconds / one.forecast_seconds - 1) for one in earlier]
    return {
        "distillations": len(earlier),
        "typical_error": median(errors),
        "largest_error": max(errors),
    }


def _fits(benchmark: DeviceBenchmark, job: Job) -> bool:
    return peak_bytes(benchmark, job) <= benchmark.memory_bytes * USABLE_MEMORY


def _is_in_parts(benchmark: DeviceBenchmark, job: Job) -> bool:
    """True on a GPU that lacks memory: it goes on with fewer images at once, and is slower."""
    return (
        benchmark.kind == "cuda"
        and not _fits(benchmark, job)
        and _fits(benchmark, _changed(job, "micro_batch_size", 1))
    )


def misfit(benchmark: DeviceBenchmark, job: Job) -> JsonObject | None:
    """Problem of a job that does not fit on this device, with settings that do; None if it fits."""
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
    """Search by halving, as more never takes less memory. 0 where not even one fits."""
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
