"""The embedding trained on the spot recognises pictures better than an untrained one."""

import pytest
import torch

from iadd.privacy import embedding
from iadd.privacy.controls import shift, turn_and_zoom
from iadd.privacy.nearest_neighbours import Embed, embedded
from tests.iadd.privacy.textures import draw_pictures


def recognised(embed: Embed) -> int:
    """Of 40 pictures that nobody trained on, how many are nearest to themselves turned."""
    pictures = draw_pictures(40, seed=9).float() / 255
    changed = shift(turn_and_zoom(pictures, 8.0, 1.1))
    alike = embedded(changed, embed) @ embedded(pictures, embed).T
    return int((alike.argmax(dim=1) == torch.arange(40)).sum())


def test_training_makes_it_recognise_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = draw_pictures(80, seed=1)
    trained = embedding.verification_features(pictures)
    again = embedding.verification_features(pictures)
    monkeypatch.setattr(embedding, "_STEPS", 0)
    untrained = embedding.verification_features(pictures)
    assert recognised(trained) > recognised(untrained) + 5
    some = pictures[:3].float() / 255
    assert torch.equal(trained(some), again(some))
