"""Checks that a release's ``SIGNATURE`` was made for its sums.

The check detects changes to a release; it does not identify the signer, since anybody can make a
key. ``exchange verify BUNDLE --trusted-key KEY`` does that.
"""

import base64
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from iadd.bundle.format import canonical_json, sha256_of, signed_message


def signature_holds(signature: bytes, sums: bytes) -> bool:
    """Return whether the key that a release names signed these sums.

    The signed message is a line that names the purpose, then the content of ``SIGNATURE`` and the
    hash of the sums, as canonical JSON (RFC 8785).

    Args:
        signature: Content of ``SIGNATURE``. It has one form to the byte.
        sums: Content of ``SHA256SUMS``.
    """
    try:
        document = json.loads(signature)
        if signature != canonical_json(document) + b"\n":
            return False  # what is added to it was not signed
        signed = _decode(document.pop("signature"))
        key = _decode(document["key"].removeprefix("ed25519:"))
        document["sums_sha256"] = sha256_of(sums)
        message = signed_message("release", canonical_json(document))
        Ed25519PublicKey.from_public_bytes(key).verify(signed, message)
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    return True


def _decode(text: str) -> bytes:
    """Decode base64 without padding, in the one way to write it. Raises ValueError."""
    raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if base64.b64encode(raw).decode().rstrip("=") != text:
        raise ValueError("it is written in another way")
    return raw
