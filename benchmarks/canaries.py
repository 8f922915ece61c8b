"""What canaries cost a private teacher, and what they find.

    python -m benchmarks.canaries --data covid-radiography-112.zip [--canaries 0 100 400]

One teacher as the presets with differential privacy have it, at 32×32 without augmentation, for
each number of canaries: its accuracy on the validation split, and the lower bound of ε that its
canaries give, beside what the accountant claims.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.output import command, print_result
from iadd import presets
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.loading import load_images
from iadd.dp.ledger import Ledger, MemoryLedgerStore
from iadd.dp.private_data import PrivateData
from iadd.intake.splits import SPLITS
from iadd.privacy.one_run_audit import audit_teachers
from iadd.reproduce.teachers import evaluate_teachers
from iadd.trajectories.record import record_trajectories

SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--canaries", type=int, nargs="+", default=[0, 100, 400])
    parser.add_argument("--epsilon", type=float, default=3.0)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images = load_images(arguments.data, SIZE)
    rows = [
        measure(images, count, arguments.epsilon, arguments.epochs, seed)
        for count in arguments.canaries
        for seed in range(arguments.seeds)
    ]
    print_result({"command": command(), "rows": rows}, one_line=False)


def measure(
    images: ImageSet, canaries: int, epsilon: float, epochs: int, seed: int
) -> dict[str, Any]:
    """Train a teacher with so many canaries, score it, and attack it."""
    config = settings(canaries, epsilon, epochs, seed, len(images.part("train")))
    ledger = Ledger(MemoryLedgerStore())
    data = PrivateData(images, ledger, declared_units=config.protection.declared_patients)
    with tempfile.TemporaryDirectory() as folder:
        teachers = record_trajectories(data, config, out=Path(folder))
        scores = evaluate_teachers(teachers, validation_as_test(images), config).to_dict()
        audit = audit_teachers(teachers, delta=config.protection.delta)
    return {
        "canaries": canaries,
        "seed": seed,
        "balanced_accuracy": round(scores["balanced_accuracy"]["mean"], 3),
        "claimed_epsilon": round(ledger.epsilon(config.protection.delta), 2),
        "audited_epsilon": None if audit is None else round(audit.epsilon, 2),
        "right": None if audit is None else f"{audit.right} of {audit.guesses}",
    }


def settings(canaries: int, epsilon: float, epochs: int, seed: int, patients: int) -> Config:
    """Make the settings of one teacher."""
    return presets.cpu_dp().override(
        {
            "seed": seed,
            "image_size": SIZE,
            "depth": 3,
            "width": 16,
            "augmentation": [],
            "teacher_epochs": epochs,
            "max_start_epoch": 1,
            "expert_epochs": 1,
            "epsilon": epsilon,
            "declared_patients": patients,
            "canaries": canaries,
        }
    )


def validation_as_test(images: ImageSet) -> ImageSet:
    """Return the validation images as test images: the test split is not read for choices."""
    validation = images.part("validation")
    test = torch.full_like(validation.split, SPLITS.index("test"))
    return replace(validation, split=test)


if __name__ == "__main__":
    main()
