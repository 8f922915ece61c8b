"""A forecast beside the job that it foresees.

    python -m benchmarks.forecast [--json] [--device cpu] [--set NAME=VALUE …]

The job is real and small: the demonstration's settings, cut to about a minute, on drawn X-rays. It
is forecast first, then run through the calls that ``iadd teach``, ``distill`` and ``evaluate``
make. ``error`` is forecast over actual, less one. Run it on an idle machine.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from benchmarks.output import command, print_result
from benchmarks.roofline import describe_machine
from iadd.cli.common import read_config
from iadd.config import Config
from iadd.counts import images_per_epoch
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.evaluation.evaluator import evaluate, evaluate_across, evaluate_full, evaluate_random
from iadd.forecast.forecast import forecast
from iadd.presets import PRESETS
from iadd.runtime.allocator import reuse_freed_memory
from iadd.runtime.peak_memory import MemoryWatch
from iadd.runtime.seed import make_generator
from iadd.trajectories.record import record_trajectories

CUT = {
    "cpu_demo": {
        "teacher_epochs": 6,
        "iterations": 20,
        "validate_every": 10,
        "evaluation_networks": 2,
        "evaluation_epochs": 60,
        "baseline_lrs": (0.01, 0.03),
        "full_epochs": 6,
    }
}
"""What makes a preset's job a matter of a minute on two cores."""

COUNTS = {"train": 240, "validation": 24, "test": 60}


def draw_images(config: Config, classes: int = 3) -> ImageSet:
    """Images of all splits: grey noise, a brighter square for each class."""
    count = sum(COUNTS.values())
    size = config.image_size
    shape = (count, 1, size, size)
    pixels = torch.randint(0, 160, shape, generator=make_generator(0, "benchmark"))
    labels = torch.arange(count) % classes
    for label in range(classes):
        first = label * size // classes
        pixels[labels == label, :, first : first + size // classes] += 80
    split = torch.tensor([i for i, name in enumerate(COUNTS) for _ in range(COUNTS[name])])
    names = tuple(f"class {label}" for label in range(classes))
    return ImageSet(pixels.to(torch.uint8), labels, names, split.to(torch.int8))


class Stopwatch:
    """Seconds by phase."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add a block to a phase."""
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def run_job(
    images: ImageSet, config: Config, folder: Path, device: torch.device
) -> tuple[dict[str, float], int]:
    """Run the whole job.

    Returns:
        Seconds by phase; a distillation's validations are part of it. And the bytes of what it
        keeps.
    """
    watch = Stopwatch(device)
    with watch.phase("teaching"):
        buffer = record_trajectories(images, config, out=folder, device=device)
    with watch.phase("distilling"):
        distilled = distill(images, buffer, config, device=device)
    with watch.phase("evaluating"):
        evaluate(distilled, images, config, device=device)
        evaluate_random(images, config, device=device)
    with watch.phase("full_evaluating"):
        evaluate_full(images, config, device=device)
    if config.other_networks():
        with watch.phase("cross_evaluating"):
            for name in config.other_networks():
                evaluate_across(distilled, images, config.across(name), device=device)
                evaluate_random(images, config.across(name), device=device)
    kept = sum(path.stat().st_size for path in folder.iterdir())
    return watch.seconds, kept + len(distilled.to_bytes())


def compare(config: Config, device: torch.device) -> dict[str, Any]:
    """Forecast a job, run it, and put both side by side."""
    images = draw_images(config)
    train = images.part("train")
    counts = dict(zip(train.classes, train.labels.bincount().tolist(), strict=True))
    start = time.perf_counter()
    foreseen = forecast(
        len(train),
        len(train.classes),
        config,
        images_per_epoch=images_per_epoch(config, counts),
        validation_images=COUNTS["validation"],
        test_images=COUNTS["test"],
        device=device,
    )
    took = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder, MemoryWatch(device) as memory:
        actual, disk = run_job(images, config, Path(folder), device)
    expected = dict(foreseen.phases)
    expected["distilling"] += expected.pop("validating") + expected.pop("compiling")
    phases = {
        name: {
            "forecast": expected[name],
            "actual": seconds,
            "error": expected[name] / seconds - 1,
        }
        for name, seconds in actual.items()
    }
    total = sum(actual.values())
    return {
        "phases": phases,
        "seconds": {
            "forecast": foreseen.seconds,
            "actual": total,
            "error": foreseen.seconds / total - 1,
        },
        "peak_bytes": {"forecast": foreseen.peak_bytes, "actual": memory.peak},
        "disk_bytes": {"forecast": foreseen.disk_bytes, "actual": disk},
        "compilation": foreseen.compilation,
        "forecast_took_seconds": took,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="in one line")
    parser.add_argument("--preset", default="cpu_demo", choices=sorted(PRESETS))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    reuse_freed_memory()
    device = torch.device(given.device)
    config = read_config(given.preset, []).override(CUT.get(given.preset, {}))
    config = config.override(
        {
            name: read_config(given.preset, [text]).flat()[name]
            for text in given.set
            for name in [text.partition("=")[0]]
        }
    )
    machine = describe_machine(device)
    result = compare(config, device) | {
        "settings": config.to_dict(),
        "images": COUNTS,
        "machine": machine,
        "command": command(),
    }
    print_result(result, one_line=given.json)


if __name__ == "__main__":
    main()
