"""Presets and the settings of a request: a preset with its changes, checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.core.errors import Invalid
from iadd.config import ConfigError
from iadd.presets import AUDITS, PRESETS, describe

OWN_FIELDS = ("images_per_class", "initialisation", "seed")
"""Settings with a field of their own in a request; they are not overrides."""
_PUBLIC_IMAGES = "is for experiments on public images"
FIXED = {
    "image_size": "was decided when the dataset was read",
    "whitening": _PUBLIC_IMAGES,
    "whitening_epsilon": _PUBLIC_IMAGES,
}
"""Settings that no request changes, and why."""
MOST_LISTED = 5
"""Errors that the detail of a problem names; `errors` has them all."""


class UnknownPreset(Invalid):
    code = "unknown-preset"
    title = "There is no such preset"


class UnknownAudit(Invalid):
    code = "unknown-audit"
    title = "There is no such audit"


class InvalidSettings(Invalid):
    code = "invalid-settings"
    title = "Settings are out of range"


@dataclass(frozen=True)
class Preset:
    """A preset as `iadd.presets.describe` describes it."""

    name: str
    title: str
    description: str
    device: str
    defaults: Mapping[str, Any]
    limits: Mapping[str, list[Any]]

    def settings(self, chosen: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
        """All settings, flat: the preset's, then what was chosen.

        Raises:
            InvalidSettings: Every setting that is unknown or out of range, with what is allowed.
        """
        errors = [*self._misplaced(overrides)]
        known = {name: value for name, value in overrides.items() if name in self.defaults}
        changes = {**chosen, **known}
        starts = self.limits["initialisation"]
        if changes.get("initialisation", starts[0]) not in starts:
            del changes["initialisation"]
            errors.append(
                {
                    "where": "initialisation",
                    "message": f"initialisation may be {' or '.join(starts)}: starts from single "
                    "patients' images or their means tell who is in the set, and paper_* presets "
                    "alone allow them.",
                    "allowed": starts,
                }
            )
        try:
            PRESETS[self.name]().override(changes)
        except ConfigError as error:
            for name, message, allowed in error.invalid:
                where = name if name in OWN_FIELDS else f"overrides.{name}"
                told = {} if allowed is None else {"allowed": allowed}
                errors.append({"where": where, "message": message, **told})
        if errors:
            listed = " ".join(error["message"] for error in errors[:MOST_LISTED])
            raise InvalidSettings(
                f"{listed} No distillation was started; correct the request and send it again.",
                errors=errors,
            )
        return {**self.defaults, **changes}

    def _misplaced(self, overrides: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        allowed = sorted(set(self.defaults) - set(OWN_FIELDS) - set(FIXED))
        for name in overrides:
            if name in OWN_FIELDS:
                message = f"{name} is a field of its own, beside `overrides`."
            elif name in FIXED:
                message = f"{name} {FIXED[name]}."
            elif name not in self.defaults:
                message = f"There is no setting {_shown(name)}; there are {', '.join(allowed)}."
            else:
                continue
            yield {"where": f"overrides.{_shown(name)}", "message": message, "allowed": allowed}


def _shown(name: str) -> str:
    return name[:60] if name.isprintable() else ascii(name[:60])


def audit_settings(name: str | None) -> dict[str, Any]:
    """The settings of a named audit; none where none is named. Raises UnknownAudit."""
    if name is None:
        return {}
    if name not in AUDITS:
        raise UnknownAudit(
            f"There is no audit {_shown(name)!r}; there are {', '.join(AUDITS)}. No distillation "
            "was started.",
            choices=list(AUDITS),
        )
    return dict(AUDITS[name]["settings"])


@lru_cache(maxsize=1)
def presets_document() -> dict[str, Any]:
    """Every preset as `GET /presets` shows it."""
    return describe()


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
