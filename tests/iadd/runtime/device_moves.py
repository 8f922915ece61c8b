"""Runs the steps of every phase on a pretended GPU, and prints what went wrong, as JSON by case.

A process of its own runs it (``python -m tests.iadd.runtime.device_moves``).
"""

import json
import tempfile
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.problem import Problem, Size
from benchmarks.teachers import batches_of, random_images
from iadd.config import Config, Precision
from iadd.data.normalisation import Normalisation
from iadd.distillation.distill import distill
from iadd.presets import cpu_demo
from iadd.runtime.graphs import using_graphs
from iadd.training.recipe import small_set_recipe
from iadd.training.trainer import NetworkSpec, predict_each, train_networks
from iadd.trajectories.record import record_trajectories
from iadd.trajectories.teacher_step import TeacherStep
from iadd.trajectories.teacher_trainer import Teachers
from tests.iadd.runtime.pretended_gpu import pretended_gpu

METHODS = ("iadd", "ddpp", "hop_tm", "dm", "dc", "dsa")

SMALL = Size(width=4, depth=2, image_size=16, classes=4, batch=8, steps=2)


def settings(precision: Precision) -> Config:
    """Settings of milliseconds."""
    return cpu_demo().override(
        {
            **{"image_size": 16, "depth": 2, "width": 4, "teacher_batch_size": 8},
            **{"evaluation_epochs": 1, "precision": precision, "teacher_sampling": "all"},
        }
    )


def matching(gpu: torch.device, precision: Precision, *, compiled: bool) -> None:
    """One matching step, as a GPU differentiates it."""
    problem = Problem.make(SMALL, device=gpu, precision=precision)
    found = problem.ours(compiled=compiled, automatic=True)()
    assert found.images.device.type == gpu.type


def teaching(gpu: torch.device, precision: Precision, *, together: int, compiled: bool) -> None:
    """One step of some teachers, from images that lie on the CPU."""
    config = settings(precision).override({"compilation": "always" if compiled else "never"})
    step = TeacherStep(random_images(16, config.image_size), config, gpu)
    with tempfile.TemporaryDirectory() as folder:
        teachers = Teachers(step, range(together), Path(folder))
        teachers.close()
    teachers.step([next(batches_of(step, number)) for number in range(together)])


def evaluating(gpu: torch.device, precision: Precision, *, together: int) -> None:
    """Networks trained on a small set, and their predictions of images that lie on the CPU."""
    config = settings(precision)
    real = random_images(8, config.image_size)
    normalisation = Normalisation.of(real.images)
    small, labels = normalisation.apply(real.images).to(gpu), real.labels.to(gpu)
    specs = [NetworkSpec(lambda batch: small[batch], labels, ("test", n)) for n in range(together)]
    networks = train_networks(
        specs,
        classes=4,
        channels=1,
        config=config,
        recipe=small_set_recipe(config, 0.01),
        at_once=together,
    )
    for probabilities in predict_each(networks, real, normalisation):
        assert probabilities.device.type == "cpu"


def distilling(gpu: torch.device, precision: Precision, *, method: str) -> None:
    """A whole distillation of two iterations, from teachers that lie on the CPU."""
    config = settings(precision).override(
        {
            **{"method": method, "teachers": 1, "teacher_epochs": 2, "max_start_epoch": 1},
            **{"expert_epochs": 1, "iterations": 2, "syn_steps": 2, "validate_every": 0},
            **{"warm_start_share": 0.0, "initialisation": "noise", "real_batch_size": 4},
            **{"compilation": "always", "network_epochs": 1, "image_format": "float"},
        }
    )
    images = random_images(16, config.image_size)
    with tempfile.TemporaryDirectory() as folder:
        buffer = record_trajectories(images, config, out=Path(folder))
        found = distill(images, buffer, config, device=gpu)
    assert found.images.shape == (8, 1, 16, 16)


CASES: dict[str, Callable[[torch.device, Precision], None]] = {
    "matching, eager": partial(matching, compiled=False),
    "matching, replayed": partial(matching, compiled=True),
    "teachers, one": partial(teaching, together=1, compiled=False),
    "teachers, together": partial(teaching, together=2, compiled=False),
    "teachers, replayed": partial(teaching, together=2, compiled=True),
    "evaluation, one": partial(evaluating, together=1),
    "evaluation, together": partial(evaluating, together=2),
    **{f"distillation, {method}": partial(distilling, method=method) for method in METHODS},
}


def main() -> None:
    torch.set_num_threads(1)
    found = {}
    with pretended_gpu() as gpu, using_graphs("rehearsed"):
        try:
            torch.ones(3) + torch.ones(3).to(gpu)
        except RuntimeError as error:
            found["two devices"] = str(error)
        for name, case in CASES.items():
            for precision in ("float32", "bfloat16"):
                try:
                    case(gpu, precision)
                except Exception:  # noqa: BLE001 — the test shows whatever it was
                    found[f"{name}, {precision}"] = traceback.format_exc()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
