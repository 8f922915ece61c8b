"""Whether a release's ``SIGNATURE`` was made for its sums: the library's own look at it.

It tells a release that somebody changed from one that nobody did, and not whose it is: anybody can
make a key. ``exchange verify BUNDLE --trusted-key KEY`` answers that.
"""

import base64
import hashlib
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_PURPOSE = b"iadd-exchange release 1\n"


def signature_holds(signature: bytes, sums: bytes) -> bool:
    """Whether the key that a release names signed these sums.

    What is signed is a line that says what for, then all that ``SIGNATURE`` says and the sums' own
    hash, as canonical JSON (RFC 8785).

    Args:
        signature: Content of ``SIGNATURE``.
        sums: Content of ``SHA256SUMS``.
    """
    try:
        document = json.loads(signature)
        signed = base64.b64decode(document.pop("signature") + "==")
        key = base64.b64decode(document["key"].removeprefix("ed25519:") + "=")
        document["sums_sha256"] = hashlib.sha256(sums).hexdigest()
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        Ed25519PublicKey.from_public_bytes(key).verify(signed, _PURPOSE + canonical.encode())
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    return True
