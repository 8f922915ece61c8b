"""Keyed hashes: equal values stay equal, and only who has the key can try names."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata


def keyed_hash(purpose: str, value: str, key: bytes, digits: int) -> str:
    """Return `digits` hexadecimal digits of the HMAC-SHA-256 of `value`.

    Args:
        purpose: keeps hashes of one word in two roles apart.
        value: compared in Unicode's composed form (NFC).
        key: secret of the organisation.
        digits: 1 to 64.
    """
    composed = unicodedata.normalize("NFC", value)
    message = f"{purpose}\0{composed}".encode("utf-8", "surrogatepass")
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:digits]


def hash_patient(value: str, key: bytes) -> str:
    """Return what stands for a patient's id or name: 16 hexadecimal digits.

    Spaces and zeros around it, with which DICOM fills values up, make no difference.
    """
    return keyed_hash("patient", value.strip(" \t\r\n\0"), key, 16)
