"""Which settings a measurement is of, and which settings a forecast is of."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

COUNTED = frozenset(
    {
        "seed",
        "teachers",
        "teacher_epochs",
        "teacher_lr",
        "teacher_momentum",
        "teacher_sampling",
        "images_per_class",
        "initialisation",
        "k_mean_images",
        "start_from",
        "pruning_threshold",
        "iterations",
        "expert_epochs",
        "max_start_epoch",
        "first_max_start_epoch",
        "start_growth",
        "lr_img",
        "lr_lr",
        "lr_weights",
        "syn_lr",
        "momentum",
        "image_average",
        "validate_every",
        "validation_networks",
        "evaluation_epochs",
        "evaluation_momentum",
        "baseline_lrs",
        "full_epochs",
        "compilation",
    }
)
"""Settings that a step takes no longer for: they say how many steps there are, or what is added.

Whatever is not among them has to be measured, a setting that is new included.
"""
MOST_AT_ONCE = 16
"""Teachers that are trained in one go at most: beyond, their number makes no difference."""


def pace_key(settings: Mapping[str, Any], *, channels: int) -> str:
    """Two jobs with the same key take the same steps, and differ in how many."""
    shaping = {name: value for name, value in settings.items() if name not in COUNTED}
    shaping["teachers"] = min(settings["teachers"], MOST_AT_ONCE)
    shaping["channels"] = channels
    # Another version may compute otherwise.
    shaping["version"] = version("iadd-exchange")
    return _digest(shaping)


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
