"""The presets, as far as the portal needs to know them to refuse what workers would refuse.

`presets.json` is written by `python -m iadd.presets`, and a test holds the two together: the
portal itself never imports the library.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from app.core.errors import Invalid

OWN_FIELDS = ("images_per_class", "initialisation", "seed")
"""Settings with a field of their own in a request; they are not overrides."""
FIXED = ("image_size",)
"""Settings that were decided when the dataset was read."""


class UnknownPreset(Invalid):
    code = "unknown-preset"
    title = "There is no such preset"


class InvalidSettings(Invalid):
    code = "invalid-settings"
    title = "Settings are out of range"


@dataclass(frozen=True)
class Preset:
    name: str
    title: str
    description: str
    device: str
    defaults: Mapping[str, Any]
    limits: Mapping[str, list[Any]]

    @property
    def is_paper(self) -> bool:
        return self.name.startswith("paper_")

    def settings(self, chosen: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """All settings, flat: the preset's, then what was chosen.

        Raises:
            InvalidSettings: Every setting that is unknown or out of range, with what is allowed.
        """
        errors = [
            *self._unknown(overrides),
            *self._out_of_range({**chosen, **overrides}),
        ]
        settings = {**self.defaults, **chosen, **overrides}
        if not errors:
            errors = [*self._contradictions(settings)]
        if errors:
            listed = " ".join(error["message"] for error in errors[:5])
            raise InvalidSettings(
                f"{listed} No distillation was started; correct the request and send it again.",
                errors=errors,
            )
        return settings

    def _unknown(self, overrides: Mapping[str, Any]) -> list[dict[str, Any]]:
        allowed = sorted(set(self.defaults) - set(OWN_FIELDS) - set(FIXED))
        errors = []
        for name in overrides:
            if name in OWN_FIELDS:
                message = f"{name} is a field of its own, beside `overrides`."
            elif name in FIXED:
                message = f"{name} was decided when the dataset was read."
            elif name not in self.defaults:
                message = f"There is no setting {_shown(name)}; there are {', '.join(allowed)}."
            else:
                continue
            errors.append(
                {"where": f"overrides.{_shown(name)}", "message": message, "allowed": allowed}
            )
        return errors

    def _out_of_range(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        errors = []
        for name, value in values.items():
            if name not in self.defaults:
                continue
            reason = _refusal(value, like=self.defaults[name], allowed=self.limits.get(name))
            if name == "initialisation" and value == "real" and not self.is_paper:
                reason = (
                    "may be `real` under paper_* presets alone, because real starts put patients' "
                    "images into the result; here it may be k_mean or noise"
                )
            if reason is not None:
                where = name if name in OWN_FIELDS else f"overrides.{name}"
                errors.append(
                    {
                        "where": where,
                        "message": f"{name} {reason}.",
                        "allowed": self.limits.get(name),
                    }
                )
        return errors

    def _contradictions(self, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What no limit of a single value tells."""
        errors = []
        if not settings["baseline_lrs"]:
            errors.append(
                {
                    "where": "overrides.baseline_lrs",
                    "message": "baseline_lrs is empty: the random baseline needs at least one "
                    "learning rate to try.",
                }
            )
        last = settings["max_start_epoch"] - 1 + settings["expert_epochs"]
        if last > settings["teacher_epochs"]:
            errors.append(
                {
                    "where": "overrides.max_start_epoch",
                    "message": f"max_start_epoch - 1 + expert_epochs is {last}, and the teachers "
                    f"have {settings['teacher_epochs']} epochs: lower one of them or raise "
                    "teacher_epochs.",
                }
            )
        if settings["first_max_start_epoch"] > settings["max_start_epoch"]:
            errors.append(
                {
                    "where": "overrides.first_max_start_epoch",
                    "message": f"first_max_start_epoch is {settings['first_max_start_epoch']}, and "
                    f"I⁺ grows to max_start_epoch, {settings['max_start_epoch']}: lower the first "
                    "or raise the second.",
                }
            )
        uses_convnet = "convnet" in (settings["network"], *settings["cross_networks"])
        if uses_convnet and settings["image_size"] >> settings["depth"] < 1:
            most = settings["image_size"].bit_length() - 1
            errors.append(
                {
                    "where": "overrides.depth",
                    "message": f"depth {settings['depth']} halves {settings['image_size']} pixels "
                    f"to nothing: it may be {most} at most.",
                }
            )
        return errors


def _refusal(value: Any, *, like: Any, allowed: list[Any] | None) -> str | None:
    """Why a value may not be, or None. The default's type says what it has to be."""
    if isinstance(like, list):
        if not isinstance(value, list) or len(value) > 100:
            return "has to be a list"
        items = (_refusal(item, like=like[0] if like else "", allowed=allowed) for item in value)
        reason = next((item for item in items if item is not None), None)
        return None if reason is None else f"is a list, each item of which {reason}"
    if isinstance(like, str):
        if allowed is None:
            return None if isinstance(value, str) else "has to be a text"
        return None if value in allowed else f"may be {' or '.join(map(str, allowed))}"
    kinds, kind = (
        ((int,), "a whole number") if isinstance(like, int) else ((int, float), "a number")
    )
    low, high = allowed or (-math.inf, math.inf)
    # bool is an int to Python; NaN compares false with everything.
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        return f"has to be {kind}" + (f" from {low:g} to {high:g}" if allowed else "")
    return None


def _shown(name: str) -> str:
    return name[:60] if name.isprintable() else ascii(name[:60])


@lru_cache(maxsize=1)
def presets_document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        files("app.distillations").joinpath("presets.json").read_text(encoding="utf-8")
    )
    return document


def get_preset(name: str) -> Preset:
    """Raises UnknownPreset, which names those that exist."""
    document = presets_document()
    if name not in document:
        raise UnknownPreset(
            f"There is no preset {_shown(name)!r}; there are {', '.join(document)}. "
            "No distillation was started.",
            choices=list(document),
        )
    return Preset(name=name, **document[name])
