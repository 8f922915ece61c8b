"""The shipped run as its own test: pipelines that ignore their data, and ones that show it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from iadd.config import (
    AuditConfig,
    Config,
    DistillationConfig,
    EvaluationConfig,
    NetworkConfig,
)
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import random_images
from iadd.privacy.membership import Membership, attack_shipped_run
from tests.iadd.factories import make_images


def split_by_chance(seed: int, per_class: int = 120) -> ImageSet:
    """A set whose split is drawn: three tenths test, one tenth validation."""
    images = make_images(per_class=per_class, seed=seed)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    split = torch.zeros(len(images), dtype=torch.int8)
    split[order[: len(order) * 4 // 10]] = 1
    split[order[: len(order) * 3 // 10]] = 2
    return replace(images, split=split)


def distilled_from(images: ImageSet, start: str, seed: int) -> DistilledDataset:
    """A set that was not changed after its start."""
    # Of copies few can be among the training units that are asked about: it takes more of them.
    count = 12 if start == "real" else 4
    config = Config(
        image_size=16,
        network=NetworkConfig(depth=2, width=4),
        distillation=DistillationConfig(
            images_per_class=count, initialisation=start if start in ("real", "k_mean") else "noise"
        ),
        evaluation=EvaluationConfig(evaluation_epochs=5),
        audit=AuditConfig(audit_students=1),
    )
    train = images.part("train")
    if start == "held out":
        # What looks like the classes, and has seen neither side.
        train = images.part("validation")
    normalisation = Normalisation.of(images.part("train").images)
    labels = torch.arange(2).repeat_interleave(count)
    if start == "noise":
        pictures = torch.randn(2 * count, 1, 16, 16, generator=torch.Generator().manual_seed(seed))
    else:
        k = 16 if start == "k_mean" else 1
        drawn = [
            normalisation.apply(train.images[random_images(train, k, seed=seed, rng_key=str(n))])
            for n in range(count)
        ]
        pictures = torch.stack([one.view(2, k, 1, 16, 16).mean(dim=1) for one in drawn], dim=1)
        pictures = pictures.flatten(0, 1)
    return DistilledDataset(
        images=pictures,
        labels=labels,
        classes=images.classes,
        syn_lr=0.05,
        importance_weights=None,
        history=History(),
        config=config,
        normalisation=normalisation,
        initial_images=pictures.clone(),
        best_iteration=0,
    )


def attacked(start: str, count: int, **more: object) -> Iterator[Membership]:
    for seed in range(count):
        images = split_by_chance(seed)
        yield attack_shipped_run(
            distilled_from(images, start, seed),
            images,
            **{"secret": seed, "random_split": True, "limit": 0.05, **more},
        )


@pytest.mark.parametrize("start", ["noise", "held out"])
@pytest.mark.parametrize(
    "count",
    [3, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.long])],
    ids=["quick", "200"],
)
def test_a_set_that_ignores_its_data_is_not_refuted(start: str, count: int) -> None:
    refuted = [
        any(one.outcome == "refuted" for one in found.attacks) for found in attacked(start, count)
    ]
    assert sum(refuted) <= 0.05 * count


@pytest.mark.parametrize("start", ["k_mean", "real"])
def test_starts_of_single_images_are_refuted(start: str) -> None:
    (found,) = attacked(start, 1)
    (contributors,) = [one for one in found.attacks if one.stratum == "contributors"]
    assert contributors.outcome == "refuted"
    assert contributors.auc > 0.75


def test_power_is_that_of_one_run() -> None:
    (found,) = attacked("noise", 1)
    assert found.power is not None
    assert (found.power.tier, found.power.runs, found.power.reduced) == (0, 1, False)
    assert found.power.units == found.attacks[0].units
    assert 0.05 < found.power.tpr < 1.0
    assert {one.name for one in found.attacks} == {
        "lira",
        "rmia",
        "loss",
        "nearest",
        "matched_filter",
    }


def test_sides_hold_as_many_of_each_class_and_no_unit_in_both_splits() -> None:
    images = split_by_chance(0)
    rows = images.split != 1
    # Pairs of images, most of them in two splits.
    in_pairs = replace(images, groups=torch.arange(len(images)) // 2, unit="patient")
    distilled = distilled_from(images, "noise", 0)
    found = attack_shipped_run(distilled, in_pairs, secret=0, random_split=True, limit=0.05)
    whole = [one for one in found.attacks if one.stratum == "all"]
    if found.power is None:
        assert "pairs of units" in found.explanation
    else:
        assert found.power.unit == "patient"
        assert whole[0].units < int(rows.sum()) // 2


def test_at_most_so_many_units_a_side_are_asked_about() -> None:
    images = split_by_chance(0)
    distilled = distilled_from(images, "noise", 0)
    fewer = replace(distilled, config=distilled.config.override({"audit_units": 30}))
    found = attack_shipped_run(fewer, images, secret=0, random_split=True, limit=0.05)
    assert found.power is not None
    assert 58 <= found.power.units <= 60


def test_the_archives_own_split_or_few_units_give_neither_attack_nor_power() -> None:
    images = split_by_chance(0)
    kept = attack_shipped_run(
        distilled_from(images, "noise", 0), images, secret=0, random_split=False, limit=0.05
    )
    few = split_by_chance(0, per_class=24)
    small = attack_shipped_run(
        distilled_from(few, "noise", 0), few, secret=0, random_split=True, limit=0.05
    )
    unvalidated = replace(
        images, split=torch.where(images.split == 1, 0, images.split).to(torch.int8)
    )
    without = attack_shipped_run(
        distilled_from(images, "noise", 0), unvalidated, secret=0, random_split=True, limit=0.05
    )
    for one, word in ((kept, "own split"), (small, "fewest"), (without, "validation")):
        assert (one.attacks, one.power) == ((), None)
        assert word in one.explanation
