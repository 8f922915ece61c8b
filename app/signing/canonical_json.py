"""Canonical JSON, for hashes and signatures. Standard library only."""

import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8 (RFC 8785, for texts and whole numbers).

    Raises:
        ValueError, TypeError, RecursionError: When it is nothing that JSON can hold.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
