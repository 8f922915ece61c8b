"""How fast this device takes the steps of a kind of job, apart from how many there will be.

A few epochs, iterations and networks are run through the very calls that the job will make, on
drawn images; a student step at two sizes of the distilled set, so that another size lies on the
line through them. :mod:`iadd.forecast.arithmetic` multiplies.

    python -m iadd.forecast.device_benchmark < request.json > benchmark.json

measures in a process of its own, whose memory is that of the steps alone. It ends with the process
that holds its standard input open.
"""

import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from iadd.config import CONDENSING, Config, NetworkName
from iadd.counts import PASSES_OF_MATCHING, PASSES_OF_TRAINING, matching_batch
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.evaluation.evaluator import evaluate, evaluate_full
from iadd.forecast.arithmetic import (
    CompilationCost,
    DeviceBenchmark,
    NetworkTiming,
    SetTiming,
    TimingFit,
)
from iadd.forecast.timing import fit_timing
from iadd.runtime.compile import (
    SECONDS_TO_COMPILE,
    can_compile,
    saved_per_flop,
    saved_per_step,
)
from iadd.runtime.oom import OutOfMemoryError, is_out_of_memory
from iadd.runtime.peak_memory import MemoryWatch
from iadd.runtime.seed import make_generator
from iadd.training.cost_model import forward_flops
from iadd.trajectories.record import TrajectoryBuffer, record_trajectories, teachers_at_once

_ITERATION_FLOPS = {"cpu": 2e10, "cuda": 2e13}
"""FLOPs that the student steps of one measured iteration may have: about a
second."""

_STEP_FLOPS = {"cpu": 2e11, "cuda": 2e13}
"""… and the largest step that is measured. Larger ones are in proportion."""

_CROSS_FLOPS = {"cpu": 1e11, "cuda": 2e13}
"""… and a measured epoch of another network. A larger set is in proportion."""

_SHOWN = {"cpu": 64, "cuda": 2048}
"""Images that a measured epoch has at least; a batch if more."""

N = TypeVar("N", int, float)

_UNLIMITED = 2**31 - 1
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def benchmark_device(
    config: Config, *, classes: int, channels: int = 1, device: torch.device | str = "cpu"
) -> DeviceBenchmark:
    """Measure the steps of such a job on this device, on drawn images.

    Args:
        config: Settings of the job. How many teachers, epochs, iterations and networks it has
            makes no difference.
        classes: How many there are.
        channels: C of the images.
        device: Where the steps are measured.
    """
    device = torch.device(device)
    forward = forward_flops(
        config.network, channels=channels, classes=classes, image_size=config.image_size
    )
    most = int(_of(_STEP_FLOPS, device) / (forward * PASSES_OF_MATCHING))
    sizes, is_capped = _sizes(config, classes, most)
    samples = [
        Sample.draw(classes, channels, config.override({"images_per_class": size}), device)
        for size in sizes
    ]
    points, sets, across = [], [], dict[str, tuple[NetworkTiming, ...]]()
    clock, worked = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        with MemoryWatch(device) as base:
            teaching, buffer = samples[0].time_teachers(Path(folder))
        for sample in samples:
            with MemoryWatch(device) as memory:
                step, distilled = sample.time_matching(buffer)
                epochs = sample.time_small(distilled, sample.config)
            sets.append(distilled)
            points.append(
                SetTiming(
                    batch=matching_batch(sample.config, classes),
                    images=len(distilled),
                    step=step,
                    epoch=epochs.each,
                    epoch_fixed=epochs.fixed,
                    peak_bytes=memory.peak,
                )
            )
    with MemoryWatch(device) as full_memory:
        full = samples[0].time_full()
    with MemoryWatch(device) as cross_memory:
        for name in config.other_networks():
            smaller = samples[0].time_across(sets[0], name)
            # A set of which but a part is shown takes as long in whichever size.
            is_whole = smaller.images == len(sets[0])
            larger = (samples[-1].time_across(sets[-1], name),) if is_whole else ()
            across[name] = (smaller, *larger)
    clock, worked = time.perf_counter() - clock, time.process_time() - worked
    return DeviceBenchmark(
        device=device_name(device),
        kind=device.type,
        memory_bytes=device_memory(device),
        shown=samples[0].shown,
        teaching=teaching,
        full=full,
        teachers_at_once=samples[0].config.teacher.teachers,
        points=tuple(points),
        across=across,
        covers_images=_UNLIMITED if is_capped else 2 * points[-1].images,
        steps=samples[0].config.distillation.syn_steps,
        base_bytes=max(base.peak, full_memory.peak, cross_memory.peak),
        parameters=buffer.parameter_count,
        channels=channels,
        forward_operations=forward,
        compilation=CompilationCost(
            possible=can_compile(device.type),
            seconds=SECONDS_TO_COMPILE,
            saved_per_step=saved_per_step(device.type),
            saved_per_operation=saved_per_flop(device.type),
        ),
        cpu_share=worked / clock / torch.get_num_threads() if device.type == "cpu" else None,
    )


@dataclass(frozen=True)
class Sample:
    """A job like the one to forecast, made small: drawn images, few epochs, few iterations."""

    images: ImageSet
    config: Config
    channels: int
    shown: int
    device: torch.device

    @classmethod
    def draw(cls, classes: int, channels: int, config: Config, device: torch.device) -> "Sample":
        """Draw images at random: the time that a step takes is the same whatever they show."""
        batch = config.teacher.teacher_batch_size
        count = max(_of(_SHOWN, device) // batch, 1) * batch
        # As many of each class, so that a balanced epoch shows all of them.
        shown = max(count // classes, 1) * classes
        held_out = classes * len(("validation", "test"))
        size = config.image_size
        labels = torch.arange(shown + held_out) % classes
        splits = torch.zeros(shown + held_out, dtype=torch.int8)
        splits[shown : shown + classes], splits[shown + classes :] = 1, 2
        pixels = torch.randint(
            0,
            256,
            (shown + held_out, channels, size, size),
            generator=make_generator(config.seed, "forecast"),
            dtype=torch.uint8,
        )
        names = tuple(f"class {number}" for number in range(classes))
        step = PASSES_OF_MATCHING * matching_batch(config, classes)
        step *= forward_flops(config.network, channels=channels, classes=classes, image_size=size)
        # J of a measured iteration: the job's, or as many steps as take about a second.
        allowed = max(1, int(_of(_ITERATION_FLOPS, device) / step))
        condensing = config.distillation.method in CONDENSING
        short = config.override(
            {
                "compilation": "never",
                # What is compared with real images is calculated from the passes it takes.
                "method": "mtt" if condensing else config.distillation.method,
                "warm_start_share": 0.0,
                "differentiated_share": 1.0,
                "initialisation": "noise",
                "start_from": "all",
                "validate_every": 0,
                "expert_epochs": 1,
                "max_start_epoch": 1,
                "first_max_start_epoch": 0,
                "teachers": min(config.teacher.teachers, teachers_at_once(config, device)),
                "syn_steps": min(config.distillation.syn_steps, allowed),
            }
        )
        return cls(ImageSet(pixels, labels, names, splits), short, channels, shown, device)

    def time_teachers(self, folder: Path) -> tuple[TimingFit, TrajectoryBuffer]:
        """Time a teacher's epochs; also return the trajectories that were recorded for it."""
        teachers = self.config.teacher.teachers
        buffers: list[TrajectoryBuffer] = []

        def record(epochs: int) -> None:
            out = folder / str(len(buffers))
            config = self.config.override({"teacher_epochs": epochs})
            buffers.append(record_trajectories(self.images, config, out=out, device=self.device))

        timing = fit_timing(record)
        return TimingFit(timing.fixed, timing.each / teachers), buffers[-1]

    def time_matching(self, buffer: TrajectoryBuffer) -> tuple[float, DistilledDataset]:
        """Seconds of a student step, and the distilled set that came of it."""
        results: list[DistilledDataset] = []

        def run(iterations: int) -> None:
            config = self.config.override(
                {"teacher_epochs": buffer.epochs, "iterations": iterations}
            )
            results.append(distill(self.images, buffer, config, device=self.device))

        return fit_timing(run).each / self.config.distillation.syn_steps, results[-1]

    def time_small(self, distilled: DistilledDataset, config: Config) -> TimingFit:
        """Time the epochs of one network on a distilled set."""

        def run(networks: int, epochs: int) -> None:
            short = config.override({"evaluation_epochs": epochs, "evaluation_networks": networks})
            evaluate(distilled, self.images, short, device=self.device)

        return self._time_networks(config, run)

    def time_across(self, distilled: DistilledDataset, name: NetworkName) -> NetworkTiming:
        """Time the epochs of another network on a distilled set, or on a part of it."""
        config = self.config.across(name)
        forward = forward_flops(
            config.network,
            channels=self.channels,
            classes=len(distilled.classes),
            image_size=config.image_size,
        )
        allowed = int(_of(_CROSS_FLOPS, self.device) / (PASSES_OF_TRAINING * forward))
        images = min(len(distilled), max(1, allowed))
        part = replace(
            distilled, images=distilled.images[:images], labels=distilled.labels[:images]
        )
        timing = self.time_small(part, config)
        return NetworkTiming(images=images, each=timing.each, fixed=timing.fixed)

    def time_full(self) -> TimingFit:
        """Time the epochs of one network over the images shown."""

        def run(networks: int, epochs: int) -> None:
            config = self.config.override({"full_epochs": epochs, "evaluation_networks": networks})
            evaluate_full(self.images, config, device=self.device)

        return self._time_networks(self.config, run)

    def _time_networks(self, config: Config, run: Callable[[int, int], object]) -> TimingFit:
        """Time the epochs of one network, where as many are trained together as in the job."""
        networks = config.evaluation.evaluation_networks
        if self.device.type != "cuda":
            networks = min(networks, max(config.compute.networks_at_once, 1))
        timing = fit_timing(partial(run, networks))
        return TimingFit(timing.fixed / networks, timing.each / networks)


def _of(table: dict[str, N], device: torch.device) -> N:
    return table.get(device.type, table["cpu"])


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
    What is written is a `DeviceBenchmark`, or ``{"error": "out_of_memory"}``.
    """
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_caller, daemon=True).start()
    torch.set_num_threads(request["threads"])
    try:
        measured = benchmark_device(
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
    sys.stdout.write(json.dumps(asdict(measured)))
    return 0


def _end_with_caller() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())
