"""Opaque resource ids: a prefix that says what it is, and 96 random bits."""

import secrets


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"
