"""The settings of a distillation as the fields of a form, made from their declarations."""

from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import FormData

from app.core.errors import Invalid
from app.distillations.presets import FIXED, OWN_FIELDS, Preset
from app.distillations.schemas import DistillationCreate
from app.models.distillation import Priority
from app.web.forms import checked
from iadd.config import SETTINGS, Setting
from iadd.presets import AUDITS

PREFIX = "setting."
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class SettingField:
    """One field of the form.

    Attributes:
        setting: What it sets, with its range, unit and choices.
        value: What is filled in.
    """

    setting: Setting
    value: Any

    @property
    def step(self) -> str:
        """Of a number: `1` where it has to be whole."""
        return "1" if self.setting.kind == "whole number" else "any"


def fields_of(preset: Preset) -> dict[str, list[SettingField]]:
    """The fields of each group, filled in with what the preset says."""
    groups: dict[str, list[SettingField]] = {}
    for name, setting in SETTINGS.items():
        if name not in (*OWN_FIELDS, *FIXED):
            value = preset.defaults[name]
            if setting.kind == "numbers":
                value = ", ".join(f"{item:g}" for item in value)
            groups.setdefault(setting.group, []).append(SettingField(setting=setting, value=value))
    order = dict.fromkeys(setting.section for setting in SETTINGS.values())
    return {group: groups[group] for group in order if group in groups}


ORDER_OF_STARTS = ("public", "dp_mean", "noise", "k_mean", "real")
"""From those that show nobody to those that show single patients."""


def starts_of(preset: Preset) -> list[str]:
    """The starts of a preset, its own first."""
    usual = preset.defaults["initialisation"]
    known = [start for start in ORDER_OF_STARTS if start in preset.limits["initialisation"]]
    return sorted(known, key=lambda start: start != usual)


def body_of(preset: Preset, form: FormData) -> DistillationCreate:
    """What is asked for: only what differs from the preset is an override. Raises Invalid."""
    return checked(
        DistillationCreate,
        preset=preset.name,
        images_per_class=_whole(form, "images_per_class"),
        initialisation=str(form.get("initialisation") or "") or None,
        seed=_whole(form, "seed") or 0,
        audit=_audit(preset, form),
        priority=str(form.get("priority") or Priority.NORMAL.value),
        overrides={
            name: value
            for name, default in preset.defaults.items()
            if (value := _sent(form, SETTINGS[name], default)) is not None and value != default
        },
    )


def _audit(preset: Preset, form: FormData) -> str | None:
    """The chosen audit; None where it says what the preset says anyway."""
    chosen = str(form.get("audit") or "")
    settings = AUDITS.get(chosen, {}).get("settings", {})
    usual = all(preset.defaults[name] == value for name, value in settings.items())
    return None if usual and chosen in AUDITS else chosen or None


def _whole(form: FormData, name: str) -> int | None:
    text = str(form.get(name) or "").strip()
    return _number(name, text, int) if text else None


def _sent(form: FormData, setting: Setting, default: Any) -> Any:
    """What a field says, as its setting takes it; None where it was not sent or is empty."""
    field = PREFIX + setting.name
    if field not in form:
        return None
    sent = [str(value).strip() for value in form.getlist(field)]
    if setting.kind == "words":
        # An empty one tells that the field was there, for when nothing is ticked.
        return [value for value in default if value in sent] + [
            value for value in sent if value and value not in default
        ]
    if setting.kind == "numbers":
        return [_number(setting.name, part, float) for part in sent[0].split(",") if part.strip()]
    if setting.kind == "word" or not sent[0]:
        return sent[0] or None
    return _number(setting.name, sent[0], int if setting.kind == "whole number" else float)


def _number(name: str, text: str, kind: type[Number]) -> Number:
    try:
        return kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise Invalid(f"{name} has to be {what}. Nothing was started.", where=name) from None
