"""Teachers in training, beside a plain training loop, and beside what the machine can do.

    python -m benchmarks.teachers [--json] [--device cpu] [--precision float32] [--compile-all]

One step of each way in turn, on the same images and draws; each figure is the median of the
rounds after a warm-up. ``plain`` is the loop as one writes it: the images as floats, a batch of
them sent to the device in each step, the network eager. ``eager``, ``compiled`` and ``together``
(teachers in one go, per teacher) are the library's. ``chosen`` is which of them a run of the
preset's length takes by itself. On a GPU the run of the paper, 100 teachers × 50 epochs × 16,933
images, is projected from the measured steps.
"""

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, get_args

import torch
import torch.nn.functional as F

from benchmarks.output import command, print_result
from benchmarks.roofline import alternate, describe_machine, measure_peak, seconds
from iadd import presets
from iadd.config import Config, Precision
from iadd.counts import PASSES_OF_TRAINING
from iadd.data.augmentation import augment
from iadd.data.image_set import ImageSet
from iadd.networks.build import build_network
from iadd.runtime.allocator import reuse_freed_memory
from iadd.runtime.compile import can_compile
from iadd.runtime.precision import computing_at
from iadd.runtime.seed import derive_seed
from iadd.training.cost_model import forward_flops
from iadd.trajectories.record import teachers_at_once
from iadd.trajectories.teacher_step import Batch, TeacherStep, choose_teaching_compilation
from iadd.trajectories.teacher_trainer import Teachers

CLASSES = 4
PAPER_IMAGES = 16_933
"""Training images of the paper's X-ray set (section 4.5)."""

STEPS_OF_IMAGES = 8
TOGETHER_ON_CPU = 4


def cases(device: torch.device) -> dict[str, tuple[Config, int, bool]]:
    """Settings, rounds, and whether to compile on a CPU, where that takes half a minute."""
    small = presets.cpu_small()
    large = presets.paper_covid_cxr()
    if device.type == "cpu":
        # A step of the paper's 256 images takes most of a minute on two cores.
        large = large.override({"teacher_batch_size": 16})
    rounds = 5 if device.type == "cpu" else 50
    return {"cpu_small": (small, rounds, True), "convnet_d5_width_128": (large, rounds, False)}


def measure(config: Config, *, rounds: int, compiled: bool, device: torch.device) -> dict[str, Any]:
    """Steps of every way at one size."""
    batch = config.teacher.teacher_batch_size
    train = random_images(STEPS_OF_IMAGES * batch, config.image_size)
    eager = config.override({"compilation": "never", "teacher_sampling": "all"})
    at_once = teachers_at_once(config, device)
    group = at_once if device.type == "cuda" else TOGETHER_ON_CPU
    ways: dict[str, Callable[[], Any]] = {
        "plain": plain_loop(train, eager, device),
        "eager": steps_of(train, eager, 1, device),
    }
    per_step = {"plain": 1, "eager": 1}
    compile_seconds = None
    if compiled and can_compile(device.type):
        always = eager.override({"compilation": "always"})
        ways["compiled"], per_step["compiled"] = steps_of(train, always, 1, device), 1
        first = seconds(ways["compiled"], device)
        compile_seconds = first - seconds(ways["compiled"], device)
        if device.type == "cuda" and group > 1:
            ways["together"] = steps_of(train, always, group, device)
            per_step["together"] = group
    if device.type == "cpu" and config.network.width <= 16:
        ways["together"], per_step["together"] = steps_of(train, eager, group, device), group
    for way in ways.values():
        way(), way()
    took = alternate(ways, repeats=rounds, device=device)
    pace = {name: per_step[name] * batch / took[name] for name in ways}
    best = max((name for name in ways if name != "plain"), key=pace.__getitem__)
    return {
        "images_per_second": pace,
        "best": best,
        "speedup": pace[best] / pace["plain"],
        "compile_seconds": compile_seconds,
        "operations_per_image": flops_per_image(config),
        "chosen": chosen(config, device),
        "projected_minutes": projection(config, pace[best]) if device.type == "cuda" else None,
        "batch": batch,
        "image_size": config.image_size,
        "depth": config.network.depth,
        "width": config.network.width,
        "teachers_together": per_step.get("together"),
        "rounds": rounds,
    }


def random_images(images: int, size: int) -> ImageSet:
    """Noise: what is measured does not depend on what is seen."""
    generator = torch.Generator().manual_seed(0)
    return ImageSet(
        torch.randint(0, 256, (images, 1, size, size), generator=generator, dtype=torch.uint8),
        torch.arange(images) % CLASSES,
        tuple(f"class {label}" for label in range(CLASSES)),
        torch.zeros(images, dtype=torch.int8),
    )


def steps_of(
    train: ImageSet, config: Config, together: int, device: torch.device
) -> Callable[[], None]:
    """The library's next step of some teachers, each time that it is called."""
    teacher_step = TeacherStep(train, config, device)
    with tempfile.TemporaryDirectory() as folder:
        teachers = Teachers(teacher_step, range(together), Path(folder))
        teachers.close()
    batches = [batches_of(teacher_step, number) for number in range(together)]

    def step() -> None:
        with computing_at(config.compute.precision):
            teachers.step([next(theirs) for theirs in batches])

    return step


def plain_loop(train: ImageSet, config: Config, device: torch.device) -> Callable[[], None]:
    """The next step of a loop without any of the library's care, but with its mathematics."""
    network = build_network(
        config.network,
        channels=1,
        classes=CLASSES,
        image_size=config.image_size,
        seed=derive_seed(config.seed, "teacher", 0, "initialisation"),
        precision=config.compute.precision,
    ).to(device)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=config.teacher.teacher_lr,
        momentum=config.teacher.teacher_momentum,
    )
    teacher_step = TeacherStep(train, config, "cpu")
    images = teacher_step.normalisation.apply(train.images)
    batches = batches_of(teacher_step, 0)

    def step() -> None:
        batch = next(batches)
        shown = images[batch.indices].to(device)
        labels = train.labels[batch.indices].to(device)
        with computing_at(config.compute.precision):
            logits = network(augment(shown, batch.draw, config.augmentation))
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item(), (logits.argmax(dim=1) == labels).sum().item()

    return step


def batches_of(teacher_step: TeacherStep, teacher: int) -> Iterator[Batch]:
    """The batches of one teacher, epoch after epoch."""
    for epoch in count():
        yield from teacher_step.draw_epoch(teacher, epoch)


def flops_per_image(config: Config) -> float:
    """Floating point operations of a training step, for each image."""
    forward = forward_flops(
        config.network, channels=1, classes=CLASSES, image_size=config.image_size
    )
    return float(PASSES_OF_TRAINING * forward)


def chosen(config: Config, device: torch.device) -> dict[str, Any]:
    """What a run of the paper's number of images takes by itself."""
    choice = choose_teaching_compilation(
        config, device, channels=1, classes=CLASSES, images=PAPER_IMAGES
    )
    return {**dataclasses.asdict(choice), "at_once": teachers_at_once(config, device)}


def projection(config: Config, images_per_second: float) -> float:
    """Minutes of 100 teachers of 50 epochs on the paper's training images."""
    passes = 100 * 50 * PAPER_IMAGES
    return passes / images_per_second / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="in one line")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="float32", choices=get_args(Precision))
    parser.add_argument("--compile-all", action="store_true", help="the large one too, on a CPU")
    given = parser.parse_args()
    reuse_freed_memory()
    device, started = torch.device(given.device), time.perf_counter()
    machine = describe_machine(device)
    peak = measure_peak(given.precision, device)
    found = {
        name: measure(
            config.override({"precision": given.precision}),
            rounds=rounds,
            compiled=compiled or given.compile_all or device.type == "cuda",
            device=device,
        )
        for name, (config, rounds, compiled) in cases(device).items()
    }
    # Before and after: on a machine that others use, a slow spell must not lower the peak.
    peak = max(peak, measure_peak(given.precision, device))
    for row in found.values():
        per_image = row["operations_per_image"]
        row["fraction_of_peak"] = {
            name: per_image * rate / peak for name, rate in row["images_per_second"].items()
        }
    result = {
        "benchmark": "teachers",
        "precision": given.precision,
        **found,
        "peak_gigaflops": peak / 1e9,
        "machine": machine,
        "command": command(),
        "benchmark_seconds": round(time.perf_counter() - started, 1),
    }
    print_result(result, one_line=given.json)


if __name__ == "__main__":
    main()
