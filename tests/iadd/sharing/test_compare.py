"""Own images, received sets, both: the same networks, steps and test images, fairly compared."""

import json
import sys
from dataclasses import replace

import pytest
import torch

from iadd.config import Config, ConfigError
from iadd.data.image_set import SPLITS, ImageSet
from iadd.data.selection import TooFewImagesError
from iadd.networks.build import flatten_parameters
from iadd.runtime.progress import Progress, ProgressCounter
from iadd.sharing.class_map import ClassMapError
from iadd.sharing.compare import SHARES, ComparisonError, compare, settings_for, train_received
from iadd.sharing.mixed_trainer import OWN, RECEIVED, MixedTrainer, TrainingRun
from iadd.sharing.received import Received, SetMismatchError
from iadd.training.saved_network import TrainedNetwork
from iadd.training.trainer import NetworkSpec
from tests.iadd.factories import make_distilled, make_images

SAME = {"plain": "plain", "square": "square"}


@pytest.fixture
def received(config: Config) -> Received:
    return Received(make_distilled(config), SAME, "theirs")


def without(images: ImageSet, *splits: str) -> ImageSet:
    kept = ~torch.isin(images.split, torch.tensor([SPLITS.index(name) for name in splits]))
    return ImageSet(images.images[kept], images.labels[kept], images.classes, images.split[kept])


def test_the_table_has_own_received_and_both(
    received: Received, images: ImageSet, config: Config
) -> None:
    reports: list[Progress] = []
    found = compare([received], images, on_progress=reports.append)
    assert list(found.rows) == ["own", "received", "both"]
    own, theirs, both = found.rows.values()
    train = len(images.part("train"))
    assert (own.own_images, own.received_images) == (train, 0)
    assert (theirs.own_images, theirs.received_images) == (0, 4)
    assert (both.own_images, both.received_images) == (train, 4)
    tested = len(images.part("test"))
    for row in found.rows.values():
        assert len(row.evaluation.scores) == config.evaluation.evaluation_networks
        assert sum(map(sum, row.evaluation.to_dict()["confusion"])) == 2 * tested
    assert sum(found.test_images.values()) == tested
    assert theirs.evaluation.lr == received.distilled.syn_lr, "the recipe that the set names"
    assert both.share in SHARES
    assert {p.phase for p in reports} == {"evaluating"}
    assert [p.done for p in reports] == list(range(1, reports[-1].total + 1))


def test_what_can_be_learned_is_learned_from_each(
    received: Received, images: ImageSet, config: Config
) -> None:
    patient = config.override({"evaluation_epochs": 40, "augmentation": ("crop",)})
    for row in compare([received], images, patient).rows.values():
        assert row.evaluation.spread("balanced_accuracy")["mean"] > 0.9


def test_the_result_is_strict_json_and_the_same_under_a_seed(
    received: Received, images: ImageSet, config: Config
) -> None:
    first, again = (compare([received], images).to_dict() for _ in range(2))
    text = json.dumps(first, allow_nan=False)
    assert text == json.dumps(again, allow_nan=False)
    other = compare([received], images, config.override({"seed": 1})).to_dict()
    assert other["rows"] != first["rows"]
    assert first["received"] == [
        {
            "name": "theirs",
            "class_map": SAME,
            "images": 4,
            "image_size": 16,
            "lr": 0.05,
            "epochs": 4,
        }
    ]


def test_no_choice_is_made_by_looking_at_the_test_split(
    received: Received, images: ImageSet
) -> None:
    flipped = images.labels.clone()
    flipped[images.split == SPLITS.index("test")] = (
        1 - flipped[images.split == SPLITS.index("test")]
    )
    mislabelled = ImageSet(images.images, flipped, images.classes, images.split)
    choices = [
        {name: (row.evaluation.lr, row.share) for name, row in compare([received], s).rows.items()}
        for s in (images, mislabelled)
    ]
    assert choices[0] == choices[1]


def test_the_rate_and_the_share_are_the_best_on_validation(config: Config) -> None:
    # At the other rates nothing is learned. What was received is mislabelled, so that the row of
    # both does best by listening to it less than half.
    made = make_distilled(config, per_class=8, lr=1e-8)
    wrong = Received(replace(made, labels=1 - made.labels), SAME)
    patient = config.override(
        {"baseline_lrs": (0.05, 1e-7), "evaluation_epochs": 20, "augmentation": ("crop",)}
    )
    found = compare([wrong], make_images(per_class=120), patient, rows=["own", "both"])
    assert found.rows["own"].evaluation.lr == found.rows["both"].evaluation.lr == 0.05
    assert found.rows["both"].share < max(SHARES)


def test_every_network_takes_as_many_steps(
    received: Received, images: ImageSet, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: dict[tuple[int, int], int] = {}
    module = sys.modules["iadd.training.trainer"]
    original = module._Group._step

    def count(self: object, batches: list[module._Batch]) -> None:  # type: ignore[name-defined]
        key = (id(self), len(batches))
        steps[key] = steps.get(key, 0) + 1
        groups.append(self)  # so that no other group gets its id
        original(self, batches)

    groups: list[object] = []
    monkeypatch.setattr(module._Group, "_step", count)
    for batch_size in (256, 3):  # the received set whole, and in two mini-batches
        steps.clear()
        found = compare(
            [received],
            images,
            config.override({"evaluation_batch_size": batch_size, "networks_at_once": 1}),
        )
        assert set(steps.values()) == {found.steps}
        assert found.steps == config.evaluation.evaluation_epochs * (1 if batch_size == 256 else 2)


def test_a_mini_batch_of_both_holds_both_and_each_image_keeps_its_label(
    received: Received, images: ImageSet, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[NetworkSpec] = []
    module = sys.modules["iadd.sharing.mixed_trainer"]
    original = module.train_networks

    def record(specs: list[NetworkSpec], **settings: object) -> object:
        taught.extend(specs)
        return original(specs, **settings)

    monkeypatch.setattr(module, "train_networks", record)
    own = images.part("train")
    trainer = MixedTrainer([received], images.classes, config, own=own)
    (network,) = trainer.train(0.25, [TrainingRun(("x", 0), 0.01)], ProgressCounter(None, 99))
    (spec,) = taught
    indices = spec.draw_epoch(torch.Generator().manual_seed(0))
    is_own = indices < len(own)
    assert (~is_own).sum().item() == pytest.approx(0.25 * len(indices), abs=2)
    shown = spec.fetch(indices)
    corner = shown[:, :, :8, :8].mean(dim=(1, 2, 3)) - shown[:, :, 8:, 8:].mean(dim=(1, 2, 3))
    assert torch.equal(corner > 0.5, spec.labels[indices] == 1), "the second class has a square"
    expected = network.normalisation.apply(own.images[indices[is_own]])
    torch.testing.assert_close(shown[is_own], expected)


def test_a_few_own_images_are_others_for_each_network_and_the_same_in_both_rows(
    received: Received, images: ImageSet, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, tuple[int, ...]]] = []
    module = sys.modules["iadd.sharing.mixed_trainer"]
    original = module.random_images

    def record(train: ImageSet, per_class: int, *, seed: int, rng_key: str) -> torch.Tensor:
        chosen: torch.Tensor = original(train, per_class, seed=seed, rng_key=rng_key)
        drawn.append((rng_key, tuple(chosen.tolist())))
        return chosen

    monkeypatch.setattr(module, "random_images", record)
    found = compare([received], images, own_per_class=3)
    assert found.rows["own"].own_images == 6
    tested = [chosen for rng_key, chosen in drawn if "validation" not in rng_key]
    assert len(set(tested)) == config.evaluation.evaluation_networks
    assert len(dict(drawn)) == len(set(drawn)), "a key has the same images in every row"


def test_networks_of_one_number_begin_alike_in_every_row(
    received: Received, images: ImageSet, config: Config
) -> None:
    still = config.override({"baseline_lrs": (1e-8,), "evaluation_epochs": 1})
    trainer = MixedTrainer([received], images.classes, still, own=images.part("train"))
    begun = [
        flatten_parameters(
            trainer.train(share, [TrainingRun(("x", 0), 1e-8)], ProgressCounter(None, 9))[0].network
        )
        for share in (OWN, 0.5, RECEIVED)
    ]
    torch.testing.assert_close(begun[0], begun[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(begun[0], begun[2], atol=1e-5, rtol=0)


def test_without_own_training_images_only_the_received_are_evaluated(
    received: Received, images: ImageSet
) -> None:
    for own, per_class in ((without(images, "train", "validation"), None), (images, 0)):
        found = compare([received], own, own_per_class=per_class)
        assert list(found.rows) == ["received"]
    with pytest.raises(ComparisonError, match="no own training images"):
        compare([received], without(images, "train"), rows=["own"])


def test_what_a_row_needs_is_asked_for_before_anything_is_trained(
    received: Received, images: ImageSet
) -> None:
    reports: list[Progress] = []
    for own, advice in (
        (without(images, "validation"), "no validation images"),
        (without(images, "test"), "no test images of plain, square"),
    ):
        with pytest.raises(ComparisonError, match=advice):
            compare([received], own, on_progress=reports.append)
    with pytest.raises(ComparisonError, match="no row all"):
        compare([received], images, rows=["all"])
    with pytest.raises(TooFewImagesError, match="ask for fewer per class"):
        compare([received], images, rows=["both"], own_per_class=500, on_progress=reports.append)
    with pytest.raises(ClassMapError, match="among yours"):
        compare([replace(received, class_map={**SAME, "plain": "flat"})], images)
    assert not reports


def test_several_sets_of_other_sizes_and_names_are_trained_on_together(
    received: Received, images: ImageSet, config: Config
) -> None:
    other = Received(
        make_distilled(config, classes=("Normal", "Dense"), size=24, seed=5, lr=0.01),
        {"Normal": "plain", "Dense": "square"},
        "others",
    )
    found = compare([received, other], images, rows=["received"])
    assert found.rows["received"].received_images == 8
    assert found.rows["received"].evaluation.lr in (0.05, 0.01)
    assert [source.image_size for source in found.received] == [16, 24]
    # Where nothing can be tried, the rate lies between those of the sets.
    alone = compare([received, other], without(images, "train", "validation"))
    assert alone.rows["received"].evaluation.lr == pytest.approx((0.05 * 0.01) ** 0.5)


def test_classes_that_nobody_sent_are_left_out_of_every_row(
    received: Received, images: ImageSet, config: Config
) -> None:
    three = ImageSet(
        torch.cat([images.images, 255 - images.images[:12]]),
        torch.cat([images.labels + 1, torch.zeros(12, dtype=torch.int64)]),
        ("other", *images.classes),
        torch.cat([images.split, images.split[:12]]),
    )
    found = compare([received], three, config)
    assert found.classes == images.classes
    assert found.left_out == ("other",)
    assert found.rows["own"].own_images == len(images.part("train"))
    plain = compare([received], images, config)
    assert found.to_dict()["rows"] == plain.to_dict()["rows"]


def test_images_that_are_no_squares_or_of_another_size_are_refused(
    received: Received, images: ImageSet, config: Config
) -> None:
    tall = ImageSet(images.images[:, :, :, :8], images.labels, images.classes, images.split)
    with pytest.raises(SetMismatchError, match="networks read squares"):
        compare([received], tall, config)
    with pytest.raises(SetMismatchError, match="the settings say 16"):
        compare([received], make_images(size=32), config)


def test_the_settings_are_the_first_sets_at_our_size(received: Received, config: Config) -> None:
    found = settings_for([received], make_images(size=32), {"seed": 7})
    assert (found.image_size, found.seed, found.network) == (32, 7, config.network)
    deep = replace(received.distilled, config=config.override({"image_size": 256, "depth": 8}))
    with pytest.raises(ConfigError, match="depth 8 halves 16 pixels"):
        settings_for([replace(received, distilled=deep)], make_images())


def test_where_own_images_are_many_every_row_takes_the_steps_that_they_need(
    received: Received, config: Config
) -> None:
    short = config.override({"evaluation_batch_size": 8, "full_epochs": 3})
    made = replace(received.distilled, config=short)
    many = make_images(per_class=48)
    found = compare([replace(received, distilled=made)], many)
    own = len(many.part("train"))
    assert found.steps == 3 * own // 8, "three passes in mini-batches of eight"
    assert found.rows["own"].evaluation.epochs == 3
    assert "Trained for 24 epochs" in " ".join(found.notes())
    # Few images, or somebody's own wish, leave the recipe's steps.
    for few in (
        settings_for([replace(received, distilled=made)], many, own_per_class=3),
        settings_for([replace(received, distilled=made)], many, {"evaluation_epochs": 4}),
        settings_for([replace(received, distilled=made)], many, own_per_class=0),
    ):
        assert few == short


def test_a_comparison_can_be_ended_and_hands_over_its_networks(
    received: Received, images: ImageSet
) -> None:
    kept: dict[tuple[str, int], TrainedNetwork] = {}
    found = compare(
        [received],
        images,
        rows=["received"],
        on_trained=lambda row, number, network: kept.update({(row, number): network}),
    )
    assert list(kept) == [("received", 0), ("received", 1)]
    test = images.part("test")
    correct = kept["received", 0].predict(test).argmax(dim=1) == test.labels
    assert correct.double().mean() == pytest.approx(
        found.rows["received"].evaluation.scores[0].accuracy
    )

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare([received], images, on_progress=stop)


def test_without_any_own_image_a_network_is_still_trained(
    received: Received, images: ImageSet, config: Config
) -> None:
    reports: list[Progress] = []
    patient = config.override({"evaluation_epochs": 40, "augmentation": ("crop",)})
    network = train_received([received], ("plain", "square"), patient, on_progress=reports.append)
    assert {(p.phase, p.total) for p in reports} == {("training", 40)}
    assert network.normalisation == received.distilled.normalisation
    test = images.part("test")
    assert (network.predict(test).argmax(dim=1) == test.labels).double().mean() > 0.9
