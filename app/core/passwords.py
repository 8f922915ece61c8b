"""Passwords: Argon2id with the recommended settings of `pwdlib`, about 0.1 s a check."""

from pwdlib import PasswordHash

FEWEST_CHARACTERS = 12
MOST_CHARACTERS = 256

_hasher = PasswordHash.recommended()
# Of a password that nobody has, so that an unknown address takes as long as a known one.
_nobody = _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def check_password(password: str, password_hash: str | None) -> bool:
    """Whether it is the one; as slow for a person who has none."""
    matches = _hasher.verify(password, password_hash or _nobody)
    return matches and password_hash is not None
