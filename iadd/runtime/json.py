"""Strict JSON: NaN and infinity become null."""

import json
import math
from collections.abc import Mapping
from typing import Any


def finite(document: Any) -> Any:
    """Copy a document with null in place of NaN and infinity."""
    if isinstance(document, Mapping):
        return {name: finite(value) for name, value in document.items()}
    if isinstance(document, list | tuple):
        return [finite(value) for value in document]
    if isinstance(document, float) and not math.isfinite(document):
        return None
    return document


def to_strict_json(document: Any) -> bytes:
    """Serialise a document as strict, indented JSON."""
    text = json.dumps(finite(document), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()
