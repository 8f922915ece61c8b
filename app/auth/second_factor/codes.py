"""Codes of a second factor: those of an authenticator app (RFC 6238), and recovery codes."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime

import pyotp

from app.core.security import hash_secret, same_secret

ISSUER = "IADD Exchange"
DRIFT = 1
"""Steps of 30 s by which the clock of a phone may differ."""
RECOVERY_CODES = 8


@dataclass(frozen=True)
class Match:
    """What a right code was.

    Attributes:
        step: Number of its half minute; None for a recovery code.
        recovery_hash: Hash of the recovery code; None for one of the app.
    """

    step: int | None = None
    recovery_hash: str | None = None


def new_totp_secret() -> str:
    """160 random bits in base32, as RFC 4226 recommends."""
    return pyotp.random_base32()


def address_of_secret(secret: str, email: str) -> str:
    """The `otpauth:` address that an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def new_recovery_codes() -> list[str]:
    """Eight codes of 80 random bits, each for one sign-in without the app."""
    return [_grouped(_base32(secrets.token_bytes(10))) for _ in range(RECOVERY_CODES)]


def hash_recovery_code(code: str) -> str:
    return hash_secret(_plain(code))


def match_app_code(secret: str, code: str, *, now: datetime, after: int) -> Match | None:
    """The half minute of a code that the app shows now.

    Args:
        secret: In base32.
        code: As it was typed; blanks between digits are ignored.
        now: The portal's time.
        after: Number of the half minute of the last accepted code. An earlier code, or the same
            one again, is not accepted: somebody may have looked over a shoulder (RFC 6238, 5.2).
    """
    totp = pyotp.TOTP(secret)
    present = totp.timecode(now)
    for step in range(max(present - DRIFT, after + 1), present + DRIFT + 1):
        if same_secret(_plain(code), totp.generate_otp(step)):
            return Match(step=step)
    return None


def match_recovery_code(hashes: list[str], code: str) -> Match | None:
    hashed = hash_recovery_code(code)
    return Match(recovery_hash=hashed) if hashed in hashes else None


def _plain(code: str) -> str:
    return "".join(code.replace("-", " ").split()).upper()


def _base32(content: bytes) -> str:
    return base64.b32encode(content).decode().rstrip("=")


def _grouped(letters: str) -> str:
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
