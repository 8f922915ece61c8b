"""What gradients of single images cost: a teacher with differential privacy, and one without.

    python -m benchmarks.private_teacher [--json] [--images 128] [--epochs 3]

One teacher of ``cpu_dp`` is trained both ways on one thread, on random images. What is told is the
time of an epoch after the first, for each image.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.output import command, print_result
from iadd import presets
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.dp.ledger import Ledger, MemoryLedgerStore
from iadd.dp.private_data import PrivateData
from iadd.runtime.progress import Progress
from iadd.trajectories.record import record_trajectory


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_result(measure(arguments.images, arguments.epochs), one_line=arguments.json)


def measure(count: int, epochs: int) -> dict[str, Any]:
    """Train a teacher both ways, and compare the time of an epoch."""
    private = presets.cpu_dp().override(
        {
            "teacher_epochs": epochs,
            "max_start_epoch": 1,
            "expert_epochs": 1,
            "teacher_batch_size": count,
            "declared_patients": count,
        }
    )
    plain = private.override({"privacy": "audited"})
    images = random_images(count, private.image_size)
    data = PrivateData(images, Ledger(MemoryLedgerStore()), declared_units=count)
    milliseconds = {
        name: 1000 / count * epoch_seconds(config, source)
        for name, config, source in (("plain", plain, images), ("private", private, data))
    }
    return {
        "command": command(),
        "milliseconds_per_image": {name: round(one, 2) for name, one in milliseconds.items()},
        "times_as_long": round(milliseconds["private"] / milliseconds["plain"], 2),
    }


def random_images(count: int, size: int) -> ImageSet:
    """Images of two classes, all for training."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 1, size, size), generator=generator)
    split = torch.zeros(count, dtype=torch.int8)
    return ImageSet(pixels.to(torch.uint8), torch.arange(count) % 2, ("a", "b"), split)


def epoch_seconds(config: Config, source: ImageSet | PrivateData) -> float:
    """Seconds of an epoch, the first left out."""
    ends: list[float] = []

    def listen(progress: Progress) -> None:
        ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        record_trajectory(source, config, 0, out=Path(folder), on_progress=listen)
    return (ends[-1] - ends[0]) / (len(ends) - 1)


if __name__ == "__main__":
    main()
