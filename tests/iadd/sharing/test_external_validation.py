"""A receiver's score of a release: its recipe, own test images, figures and counts alone."""

import json
import re
from dataclasses import replace

import pytest
import torch

from iadd.config import Config
from iadd.data.image_set import SPLITS, ImageSet
from iadd.evaluation.evaluator import evaluate
from iadd.sharing.class_map import ClassMapError
from iadd.sharing.external_validation import score_release
from iadd.sharing.received import Received
from tests.iadd.factories import make_distilled, make_images

SAME = {"plain": "plain", "square": "square"}
FINGERPRINT = "ab" * 32


@pytest.fixture
def received(config: Config) -> Received:
    return Received(make_distilled(config), SAME, "release")


def test_the_score_is_that_of_the_releases_own_recipe(received: Received, images: ImageSet) -> None:
    document = score_release(received, images, fingerprint=FINGERPRINT).to_dict()
    release = received.distilled
    expected = evaluate(release, images, release.config).to_dict()
    assert document["figures"]["balanced_accuracy"] == expected["balanced_accuracy"]
    assert document["figures"]["per_class"] == expected["per_class"]
    assert document["recipe"]["lr"] == release.syn_lr
    assert document["recipe"]["epochs"] == release.config.evaluation.evaluation_epochs
    assert document["release"] == {"fingerprint": FINGERPRINT, "images": 4}
    assert document["test_images"] == images.part("test").count_by_class()
    assert document["class_map"] == SAME
    assert {"iadd-exchange", "torch"} <= set(document["versions"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["time"])
    json.dumps(document, allow_nan=False)


def test_it_holds_nothing_of_a_single_image(received: Received, images: ImageSet) -> None:
    document = score_release(received, images, fingerprint=FINGERPRINT).to_dict()
    assert set(document) == {
        *("format", "release", "classes", "left_out", "class_map", "test_images", "figures"),
        *("recipe", "network", "image_size", "seed", "versions", "time"),
    }
    assert "confusion" not in json.dumps(document)


def test_own_training_images_take_no_part(received: Received, images: ImageSet) -> None:
    blank = images.images.clone()
    blank[images.split != SPLITS.index("test")] = 0
    blanked = ImageSet(blank, images.labels, images.classes, images.split)
    one, other = (
        score_release(received, mine, fingerprint=FINGERPRINT).to_dict()
        for mine in (images, blanked)
    )
    assert one["figures"] == other["figures"]


def test_own_images_are_brought_to_the_release_not_the_release_to_them(
    received: Received, config: Config
) -> None:
    large = make_images(size=32)
    document = score_release(received, large, fingerprint=FINGERPRINT).to_dict()
    assert document["image_size"] == 16
    colour = ImageSet(large.images.expand(-1, 3, -1, -1), large.labels, large.classes, large.split)
    found = score_release(received, colour, fingerprint=FINGERPRINT).to_dict()
    assert found["figures"] == document["figures"]


def test_classes_that_are_left_out_on_either_side_are_not_asked_about(
    config: Config, images: ImageSet
) -> None:
    made = make_distilled(config)
    release = replace(
        made,
        images=torch.cat([made.images, -made.images[:2]]),
        labels=torch.cat([made.labels, torch.tensor([2, 2])]),
        classes=("plain", "square", "odd"),
    )
    three = ImageSet(
        torch.cat([images.images, images.images[:12]]),
        torch.cat([images.labels, torch.full((12,), 2)]),
        (*images.classes, "rare"),
        torch.cat([images.split, images.split[:12]]),
    )
    score = score_release(Received(release, {**SAME, "odd": None}), three, fingerprint=FINGERPRINT)
    assert (score.classes, score.left_out) == (("plain", "square"), ("rare",))
    assert (
        score.to_dict()["figures"]
        == (
            score_release(Received(made, SAME), images, fingerprint=FINGERPRINT).to_dict()[
                "figures"
            ]
        )
    )


def test_what_is_missing_is_said(received: Received, images: ImageSet) -> None:
    with pytest.raises(ValueError, match="no test images of plain, square"):
        score_release(received, images.part("train"), fingerprint=FINGERPRINT)
    with pytest.raises(ClassMapError, match="omits “square”"):
        score_release(
            replace(received, class_map={"plain": "plain"}), images, fingerprint=FINGERPRINT
        )
