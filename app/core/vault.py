"""Encrypts small secrets with the portal's key, for the database and short-lived cookies.

The database and its backups then hold no key that signs in an organisation's name.
"""

import base64
import hmac
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.errors import Problem
from app.core.private import remove, replace, write_once
from app.core.secret_files import new_secret
from app.core.settings import FEWEST_SECRET_CHARACTERS, Settings

SECRET_FILE = "secret.key"  # noqa: S105 (the file's name)
PREVIOUS_SECRET_FILE = "secret.key.previous"  # noqa: S105
"""There while a rotation of the secret is under way, and no longer."""


class Purpose(StrEnum):
    """Purpose of an encryption; a value cannot be passed off as one for another purpose."""

    STORED = "vault 1"
    SIGN_IN = "sign-in 1"
    SECOND_STEP = "second step 1"
    DEVICE = "device 1"


class WrongSecretKey(Problem):
    """The stored value was encrypted with another EXCHANGE_SECRET_KEY."""

    status = 503
    code = "wrong-secret-key"
    title = "A stored secret cannot be decrypted"


class Vault:
    """Seals and opens bytes with one secret.

    Args:
        secret: Seals everything.
        previous: The secret before it, which still opens stored values; "" where there is none.
    """

    def __init__(self, secret: str, *, previous: str = "") -> None:
        self._fernets = {purpose: _fernet(secret, purpose) for purpose in Purpose}
        # Cookies of the previous secret are not taken: whoever has it could make them.
        stored = [_fernet(each, Purpose.STORED) for each in (secret, previous) if each]
        self._stored = MultiFernet(stored)
        self._digest_key = _derive(secret, "digest 1")

    @classmethod
    def of(cls, settings: Settings) -> "Vault":
        """With the secret of the settings, or the one in the data folder, made where none is."""
        if secret := settings.secret_key.get_secret_value():
            return cls(secret, previous=settings.previous_secret_key.get_secret_value())
        previous = settings.data_dir / PREVIOUS_SECRET_FILE
        return cls(
            _kept_secret(settings.data_dir),
            previous=_read_secret(previous) if previous.exists() else "",
        )

    def seal(self, content: bytes, purpose: Purpose = Purpose.STORED) -> str:
        return self._fernets[purpose].encrypt(content).decode()

    def open(self, sealed: str) -> bytes:
        """Decrypt a stored value. Raises WrongSecretKey."""
        try:
            return self._stored.decrypt(sealed.encode())
        except InvalidToken:
            raise _wrong_secret() from None

    def reseal(self, sealed: str) -> str:
        """Seal a stored value again, with the present secret. Raises WrongSecretKey."""
        try:
            return self._stored.rotate(sealed.encode()).decode()
        except InvalidToken:
            raise _wrong_secret() from None

    def open_recent(self, sealed: str, purpose: Purpose, within: timedelta) -> bytes | None:
        """Decrypt a recent value; None if it is too old or not by this portal."""
        try:
            return self._fernets[purpose].decrypt(
                sealed.encode(), ttl=round(within.total_seconds())
            )
        except InvalidToken:
            return None

    def digest(self, content: bytes) -> str:
        """A hash to recognise content by, which without the secret cannot be guessed at."""
        return hmac.digest(self._digest_key, content, "sha256").hex()


def replace_kept_secret(folder: Path) -> None:
    """Begin a rotation: make a new secret in the data folder, and keep the one before it.

    Begun twice, because the first time was interrupted, it makes one new secret and not two: at
    every moment the two files open all that is stored.
    """
    path, previous = folder / SECRET_FILE, folder / PREVIOUS_SECRET_FILE
    if not previous.exists():
        write_once(previous, _kept_secret(folder).encode())
    if _read_secret(previous) == _kept_secret(folder):
        replace(path, new_secret())


def forget_previous_secret(folder: Path) -> None:
    """End a rotation, when nothing stored needs the previous secret any more."""
    remove(folder / PREVIOUS_SECRET_FILE)


def _wrong_secret() -> WrongSecretKey:
    return WrongSecretKey(
        "A stored secret cannot be opened: EXCHANGE_SECRET_KEY (or secret.key in the data "
        "folder) is not the one that it was stored with. Nothing was changed. The operator "
        "of this portal has to put the right one back."
    )


def _fernet(secret: str, purpose: Purpose) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derive(secret, purpose.value)))


def _derive(secret: str, purpose: str) -> bytes:
    info = f"iadd-exchange {purpose}".encode()
    return HKDF(SHA256(), length=32, salt=None, info=info).derive(secret.encode())


def _kept_secret(folder: Path) -> str:
    path = folder / SECRET_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # On the disk before anything is sealed with it: sealed values are lost without it.
        write_once(path, new_secret())
    return _read_secret(path)


def _read_secret(path: Path) -> str:
    secret = path.read_text().strip()
    if len(secret) < FEWEST_SECRET_CHARACTERS:
        raise WrongSecretKey(
            f"{path} is truncated and holds no secret any more. Put a copy of it back; "
            "without one the organisations' signing keys cannot be opened."
        )
    return secret
