"""Evaluation networks trained together, beside the same networks one by one.

    python -m benchmarks.evaluation [--json] [--device cpu] [--precision float32]

Five networks are trained on small sets of random images, with the augmentation and the recipe of
an evaluation: in one go (vmap, one grouped convolution per layer) and one after the other. Each
figure is the median of rounds in which both take turns. ``chosen`` is how many the library takes
at once on this device by itself.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.output import command, print_result
from benchmarks.roofline import alternate, describe_machine, measure_peak
from iadd import presets
from iadd.config import Config
from iadd.networks.build import build_network
from iadd.runtime.allocator import reuse_freed_memory
from iadd.runtime.flops import count_flops
from iadd.runtime.seed import make_generator
from iadd.training.concurrency import networks_at_once
from iadd.training.recipe import small_set_recipe
from iadd.training.trainer import NetworkSpec, train_networks

NETWORKS = 5
CLASSES = 4
_ASKED = 64


def cases() -> dict[str, tuple[Config, int]]:
    """Settings and rounds: the preset for workstations, and the paper's network, ConvNetD5."""
    small = presets.cpu_small().override({"evaluation_epochs": 2})
    large = presets.paper_covid_cxr().override({"evaluation_epochs": 1, "images_per_class": 3})
    return {"cpu_small": (small, 3), "convnet_d5_width_128": (large, 3)}


def measure(config: Config, *, rounds: int, device: torch.device, peak: float) -> dict[str, Any]:
    """Train the networks both ways and compare time and results."""
    size, epochs = config.image_size, config.evaluation.evaluation_epochs
    count = CLASSES * config.distillation.images_per_class
    generator = make_generator(0, "benchmark")
    images = torch.randn(count, 1, size, size, generator=generator).to(device)
    asked = torch.randn(_ASKED, 1, size, size, generator=generator).to(device)
    labels = torch.arange(count, device=device) % CLASSES
    specs = [NetworkSpec(images.__getitem__, labels, ("benchmark", n)) for n in range(NETWORKS)]
    trained: dict[int, list[nn.Module]] = {}

    def train(at_once: int) -> Callable[[], None]:
        def run() -> None:
            trained[at_once] = train_networks(
                specs,
                classes=CLASSES,
                channels=1,
                config=config,
                recipe=small_set_recipe(config, 0.01),
                at_once=at_once,
            )

        return run

    ways = {"together": train(NETWORKS), "one_by_one": train(1)}
    for way in ways.values():
        way()
    seconds = alternate(ways, repeats=rounds, device=device)
    each = {name: total / (NETWORKS * epochs) for name, total in seconds.items()}
    flops = _count_step_flops(config, images, labels)
    return {
        "networks": NETWORKS,
        "images": count,
        "image_size": size,
        "depth": config.network.depth,
        "width": config.network.width,
        "epochs": epochs,
        "rounds": rounds,
        "seconds_per_network_epoch": each,
        "speedup": each["one_by_one"] / each["together"],
        "max_difference": _difference(trained[NETWORKS], trained[1], asked),
        "fraction_of_peak": {name: flops / (peak * took) for name, took in each.items()},
        "chosen": networks_at_once(0, networks=trained[1], images=count, shape=(1, size, size)),
    }


def _count_step_flops(config: Config, images: Tensor, labels: Tensor) -> float:
    """Operations of one network's pass over the images, which are one mini-batch."""
    network = build_network(
        config.network, channels=1, classes=CLASSES, image_size=config.image_size, seed=0
    ).to(images.device)

    def step() -> None:
        nn.functional.cross_entropy(network(images), labels).backward()

    return count_flops(step)


@torch.no_grad()
def _difference(some: list[nn.Module], others: list[nn.Module], images: Tensor) -> float:
    """Largest difference of a class probability between two ways to train the same networks."""
    return max(
        float((one(images).softmax(dim=1) - other(images).softmax(dim=1)).abs().max())
        for one, other in zip(some, others, strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=["float32", "tf32", "bfloat16"])
    arguments = parser.parse_args()
    reuse_freed_memory()
    device = torch.device(arguments.device)
    peak = measure_peak(arguments.precision, device)
    found = {
        name: measure(
            config.override({"precision": arguments.precision}),
            rounds=rounds,
            device=device,
            peak=peak,
        )
        for name, (config, rounds) in cases().items()
    }
    result = {
        "benchmark": "evaluation",
        "precision": arguments.precision,
        **found,
        "peak_gigaflops": peak / 1e9,
        "machine": describe_machine(device),
        "command": command(),
    }
    print_result(result, one_line=arguments.json)


if __name__ == "__main__":
    main()
