"""JSON as the standard has it: no number that is none."""

import json
import math
from typing import Any


def finite(document: Any) -> Any:
    """The same document, null where a number is infinite or none at all."""
    if isinstance(document, dict):
        return {name: finite(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [finite(value) for value in document]
    if isinstance(document, float) and not math.isfinite(document):
        return None
    return document


def to_strict_json(document: Any) -> bytes:
    """Write a document, indented, for people and for any reader of JSON."""
    text = json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()
