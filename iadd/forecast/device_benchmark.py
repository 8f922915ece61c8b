"""How fast this device takes the steps of a kind of job, apart from how many there will be.

:mod:`iadd.forecast.forecast` foresees one job. Whoever foresees many of a kind, such as a service,
measures once and multiplies itself: a student step is measured at two sizes of the distilled set,
so that another size lies on the line through them.

    python -m iadd.forecast.device_benchmark < request.json > paces.json

does it in a process of its own, whose memory is that of the steps alone. It ends with the process
that holds its standard input open.
"""

import json
import os
import platform
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from iadd.config import Config, NetworkName
from iadd.forecast.forecast import CrossPace, Sample
from iadd.forecast.timing import Pace
from iadd.runtime.compile import (
    SECONDS_TO_COMPILE,
    can_compile,
    saved_per_flop,
    saved_per_step,
)
from iadd.runtime.oom import OutOfMemoryError, is_out_of_memory
from iadd.runtime.peak_memory import MemoryWatch
from iadd.training.cost_model import PASSES_OF_MATCHING, forward_flops, matching_batch
from iadd.trajectories.record import teachers_at_once

_STEP_OPERATIONS = {"cpu": 2e11, "cuda": 2e13}
"""Of the largest step that is measured: about a second. Larger ones are in proportion."""

_UNLIMITED = 2**31 - 1
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, kw_only=True)
class StepPace:
    """A student step, and an epoch of one network, at one size of the distilled set.

    Attributes:
        batch: Distilled images per student step.
        images: Distilled images in all.
        step: Seconds of a student step.
        epoch: Seconds of an epoch of one network on the distilled set.
        epoch_fixed: Seconds that a network takes besides its epochs.
        peak_bytes: The most memory during both.
    """

    batch: int
    images: int
    step: float
    epoch: float
    epoch_fixed: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class DevicePaces:
    """What was measured on one device.

    Attributes:
        device: What the device calls itself.
        kind: ``cpu`` or ``cuda``.
        memory_bytes: What it has.
        shown: Images of a measured epoch of a teacher, or of a network on the full data.
        teaching: Pace of a teacher's epoch over so many images.
        full: Pace of an epoch of one network over so many images.
        teachers_at_once: How many teachers were trained together.
        points: The student step at two sizes, the smaller first.
        across: By other network that the set is tried with, an epoch at one or two sizes.
        covers_images: The largest distilled set that these tell of.
        steps: J of the measured iterations.
        base_bytes: The most memory while teachers, networks on the full data and other networks
            were trained.
        parameters: P.
        channels: C.
        forward_operations: Floating point operations of one image's way through the network.
        compilation: What compiling costs and saves here, for whoever chooses.
        cpu_share: How much of the threads' time this process had: on a CPU that others use too,
            what was measured is slower than the job may be. None on a GPU.
    """

    device: str
    kind: str
    memory_bytes: int
    shown: int
    teaching: Pace
    full: Pace
    teachers_at_once: int
    points: tuple[StepPace, ...]
    across: dict[NetworkName, tuple[CrossPace, ...]]
    covers_images: int
    steps: int
    base_bytes: int
    parameters: int
    channels: int
    forward_operations: int
    compilation: dict[str, Any]
    cpu_share: float | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document


def measure_paces(
    config: Config, *, classes: int, channels: int = 1, device: torch.device | str = "cpu"
) -> DevicePaces:
    """Measure the steps of such a job on this device, on drawn images.

    Args:
        config: Settings of the job. How many teachers, epochs, iterations and networks it has
            makes no difference.
        classes: How many there are.
        channels: C of the images.
        device: Where the steps are measured.
    """
    device = torch.device(device)
    config = config.override({"teachers": max(config.teacher.teachers, 1)})
    forward = forward_flops(
        config.network, channels=channels, classes=classes, image_size=config.image_size
    )
    most = int(_STEP_OPERATIONS.get(device.type, 2e11) / (forward * PASSES_OF_MATCHING))
    sizes, is_capped = _sizes(config, classes, most)
    # As many as a measured epoch ever shows: whatever dataset comes, it is the same measurement.
    plenty = 2 * max(config.teacher.teacher_batch_size, 4096)
    samples = [
        Sample.draw(plenty, classes, channels, config.override({"images_per_class": size}), device)
        for size in sizes
    ]
    points, across = [], dict[NetworkName, tuple[CrossPace, ...]]()
    sets = []
    clock, worked = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        with MemoryWatch(device) as base:
            teaching, buffer = samples[0].teach(Path(folder))
        for size, sample in zip(sizes, samples, strict=True):
            with MemoryWatch(device) as memory:
                step, distilled = sample.match(buffer)
                small = sample.learn(distilled)
            sets.append(distilled)
            points.append(
                StepPace(
                    batch=matching_batch(sample.config, classes),
                    images=size * classes,
                    step=step.each,
                    epoch=small.each,
                    epoch_fixed=small.fixed,
                    peak_bytes=memory.peak,
                )
            )
    with MemoryWatch(device) as full_memory:
        full = samples[0].learn_all()
    with MemoryWatch(device) as cross_memory:
        for name in config.other_networks():
            smaller = samples[0].learn_across(sets[0], name)
            # A set of which but a part is shown takes as long in whichever size.
            is_whole = smaller.images == len(sets[0])
            larger = (samples[-1].learn_across(sets[-1], name),) if is_whole else ()
            across[name] = (smaller, *larger)
    clock, worked = time.perf_counter() - clock, time.process_time() - worked
    return DevicePaces(
        device=device_name(device),
        kind=device.type,
        memory_bytes=device_memory(device),
        shown=samples[0].shown,
        teaching=teaching,
        full=full,
        teachers_at_once=min(config.teacher.teachers, teachers_at_once(config, device)),
        points=tuple(points),
        across=across,
        covers_images=_UNLIMITED if is_capped else 2 * points[-1].images,
        steps=samples[0].config.distillation.syn_steps,
        base_bytes=max(base.peak, full_memory.peak, cross_memory.peak),
        parameters=buffer.parameter_count,
        channels=channels,
        forward_operations=forward,
        compilation={
            "possible": can_compile(device.type),
            "seconds": SECONDS_TO_COMPILE,
            "saved_per_step": saved_per_step(device.type),
            "saved_per_operation": saved_per_flop(device.type),
        },
        cpu_share=worked / clock / torch.get_num_threads() if device.type == "cpu" else None,
    )


def _sizes(config: Config, classes: int, most: int) -> tuple[list[int], bool]:
    """Two numbers of images per class, the smaller first, and whether the larger was cut."""
    asked = config.distillation.images_per_class
    largest = max(2, most // classes)
    larger = min(max(asked, 2), largest)
    return [max(1, larger // 4), larger], larger < asked


def device_name(device: torch.device) -> str:
    """What the device calls itself; of a CPU also on how many threads it computes."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine() or "CPU"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            name = value.strip()
            break
    threads = torch.get_num_threads()
    return f"{name[:150]}, {threads} thread{'' if threads == 1 else 's'}"


def device_memory(device: torch.device) -> int:
    """Bytes of the GPU's memory, or of the machine's as far as this process may use it."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUP_LIMITS:
        try:
            limit = Path(path).read_text().strip()
        except OSError:
            continue
        if limit.isdigit():
            total = min(total, int(limit))
    return total


def main() -> int:
    """Read a request from the first line of standard input, and write what was measured.

    The request: ``{"settings": Config.to_dict(), "classes", "channels", "device", "threads"}``.
    What is written is `DevicePaces.to_dict`, or ``{"error": "out_of_memory"}``.
    """
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_caller, daemon=True).start()
    torch.set_num_threads(request["threads"])
    try:
        measured = measure_paces(
            Config.from_dict(request["settings"]),
            classes=request["classes"],
            channels=request["channels"],
            device=request["device"],
        )
    except (RuntimeError, MemoryError) as error:
        if not (isinstance(error, OutOfMemoryError) or is_out_of_memory(error)):
            raise
        sys.stdout.write(json.dumps({"error": "out_of_memory"}))
        return 0
    sys.stdout.write(json.dumps(measured.to_dict()))
    return 0


def _end_with_caller() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())
