"""Key of a measurement: the settings that its steps depend on."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from iadd.config import SETTINGS

MOST_AT_ONCE = 16
"""Teachers that are trained in one go at most: beyond, their number makes no difference."""


def pace_key(settings: Mapping[str, Any], *, channels: int) -> str:
    """Two jobs with the same key take the same steps, and differ in how many.

    Settings that are not declared as `counted` are part of it, new ones included.
    """
    shaping = {name: value for name, value in settings.items() if not SETTINGS[name].counted}
    shaping["teachers"] = min(settings["teachers"], MOST_AT_ONCE)
    shaping["channels"] = channels
    # Another version may compute otherwise.
    shaping["version"] = version("iadd-exchange")
    return _digest(shaping)


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
