"""The settings of a distillation as the fields of a form, made from what a preset allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import FormData

from app.core.errors import Invalid
from app.distillations.presets import FIXED, OWN_FIELDS, Preset
from app.distillations.schemas import DistillationCreate
from app.web.forms import checked

PREFIX = "setting."
Number = TypeVar("Number", int, float)

GROUPS: Mapping[str, tuple[str, ...]] = {
    "network": ("network", "depth", "width"),
    "augmentation": (
        "augmentation",
        "scale_ratio",
        "rotate_degrees",
        "crop_padding",
        "cutout_ratio",
        "brightness",
        "contrast",
        "saturation",
    ),
    "teachers": (
        "teachers",
        "teacher_epochs",
        "teacher_batch_size",
        "teacher_lr",
        "teacher_momentum",
        "teacher_sampling",
        "teacher_flatness",
    ),
    "distillation": (
        "method",
        "iterations",
        "syn_steps",
        "expert_epochs",
        "max_start_epoch",
        "first_max_start_epoch",
        "start_growth",
        "syn_batch_size",
        "lr_img",
        "lr_lr",
        "lr_weights",
        "weights_gradient",
        "pruning_threshold",
        "syn_lr",
        "momentum",
        "image_average",
        "k_mean_images",
        "start_from",
    ),
    "evaluation": (
        "validate_every",
        "validation_networks",
        "evaluation_networks",
        "evaluation_epochs",
        "evaluation_batch_size",
        "evaluation_momentum",
        "baseline_lrs",
        "full_epochs",
        "cross_networks",
    ),
    "computing": ("precision", "compilation", "networks_at_once", "micro_batch_size"),
}
"""Which settings stand together. One that is in none of them stands in the group `other`."""


@dataclass(frozen=True, kw_only=True)
class SettingField:
    """One field.

    Attributes:
        name: Of the setting.
        kind: `number`, `choice`, `choices` or `list`.
        value: What is filled in.
        step: Of a number: `1` where it has to be whole.
        low: Smallest number.
        high: Largest number.
        choices: What may be chosen.
    """

    name: str
    kind: str
    value: Any
    step: str = "any"
    low: Any = None
    high: Any = None
    choices: tuple[Any, ...] = ()


def fields_of(preset: Preset) -> dict[str, list[SettingField]]:
    """The fields of each group, filled in with what the preset says."""
    names = [name for name in preset.defaults if name not in (*OWN_FIELDS, *FIXED)]
    placed = {name for group in GROUPS.values() for name in group}
    groups = {
        group: [name for name in members if name in names] for group, members in GROUPS.items()
    }
    groups["other"] = [name for name in names if name not in placed]
    return {
        group: [_field(name, preset.defaults[name], preset.limits.get(name)) for name in members]
        for group, members in groups.items()
        if members
    }


def _field(name: str, value: Any, allowed: list[Any] | None) -> SettingField:
    if isinstance(value, list):
        of_texts = _is_of_texts(value, allowed)
        return SettingField(
            name=name,
            kind="choices" if of_texts else "list",
            value=value if of_texts else ", ".join(f"{item:g}" for item in value),
            choices=tuple(allowed or ()) if of_texts else (),
        )
    if isinstance(value, str):
        return SettingField(
            name=name, kind="choice", value=value, choices=tuple(allowed or (value,))
        )
    low, high = allowed or (None, None)
    step = "1" if isinstance(value, int) else "any"
    return SettingField(name=name, kind="number", value=value, step=step, low=low, high=high)


def _is_of_texts(value: list[Any], allowed: list[Any] | None) -> bool:
    """Whether a list chooses among words; an empty one is told by what it may hold."""
    return bool(allowed) and all(isinstance(item, str) for item in [*value, *(allowed or ())])


def body_of(preset: Preset, form: FormData) -> DistillationCreate:
    """What is asked for: only what differs from the preset is an override. Raises Invalid."""
    return checked(
        DistillationCreate,
        preset=preset.name,
        images_per_class=_whole(form, "images_per_class"),
        initialisation=str(form.get("initialisation") or "") or None,
        seed=_whole(form, "seed") or 0,
        overrides={
            name: value
            for name, default in preset.defaults.items()
            if (value := _sent(form, name, default, preset.limits.get(name))) is not None
            and value != default
        },
    )


def _whole(form: FormData, name: str) -> int | None:
    text = str(form.get(name) or "").strip()
    return _number(name, text, int) if text else None


def _sent(form: FormData, name: str, default: Any, allowed: list[Any] | None) -> Any:
    """What a field says, in the type of the preset's value; None where it was not sent or empty."""
    field = PREFIX + name
    if field not in form:
        return None
    sent = [str(value).strip() for value in form.getlist(field)]
    if isinstance(default, list) and _is_of_texts(default, allowed):
        # An empty one tells that the field was there, for when nothing is ticked.
        return [value for value in default if value in sent] + [
            value for value in sent if value and value not in default
        ]
    if isinstance(default, list):
        return [_number(name, part, float) for part in sent[0].split(",") if part.strip()]
    if not sent[0]:
        return None
    if isinstance(default, str):
        return sent[0]
    if isinstance(default, int):
        return _number(name, sent[0], int)
    return _number(name, sent[0], float)


def _number(name: str, text: str, kind: type[Number]) -> Number:
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise Invalid(f"{name} has to be {what}. Nothing was started.", where=name) from None
