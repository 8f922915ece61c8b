"""Opaque resource ids: a prefix for the kind, and 96 random bits."""

import secrets


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"
