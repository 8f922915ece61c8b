"""Signatures by the Standard Webhooks specification, symmetric version `v1`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The tests check them with the specification's own library; a receiver has it in ten languages.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification demands 24 to 64."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secrets_: Iterable[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, so that secrets can change.

    Args:
        secrets_: As `new_secret` made them.
        message_id: The header `webhook-id`.
        timestamp: The header `webhook-timestamp`: seconds since 1970.
        body: As it is sent, byte for byte.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (hmac.digest(_key(secret), content, "sha256") for secret in secrets_)
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))
