"""Small secrets in the database, encrypted with the portal's own.

The database and its backups then hold no key that signs in an organisation's name.
"""

import base64
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.settings import Settings

SECRET_FILE = "secret.key"  # noqa: S105 (the file's name)


class WrongSecretKey(RuntimeError):  # noqa: N818 (it tells what is wrong)
    """What is stored was encrypted with another EXCHANGE_SECRET_KEY."""


class Vault:
    """Seals and opens bytes with one secret."""

    def __init__(self, secret: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=None, info=b"iadd-exchange vault 1")
        self._fernet = Fernet(base64.urlsafe_b64encode(derived.derive(secret.encode())))

    @classmethod
    def of(cls, settings: Settings) -> "Vault":
        """With the secret of the settings, or the one in the data folder, made where none is."""
        return cls(settings.secret_key.get_secret_value() or _kept_secret(settings.data_dir))

    def seal(self, content: bytes) -> str:
        return self._fernet.encrypt(content).decode()

    def open(self, sealed: str) -> bytes:
        """Raises WrongSecretKey."""
        try:
            return self._fernet.decrypt(sealed.encode())
        except InvalidToken:
            raise WrongSecretKey(
                "A stored secret cannot be opened: EXCHANGE_SECRET_KEY is not the one that it was "
                "stored with."
            ) from None


def _kept_secret(folder: Path) -> str:
    path = folder / SECRET_FILE
    folder.mkdir(parents=True, exist_ok=True)
    secret = base64.urlsafe_b64encode(os.urandom(48))
    # Written whole under another name and then linked: of two that start at once, one wins.
    part = path.with_name(f"{SECRET_FILE}.{os.getpid()}")
    try:
        if not path.exists():
            with open(part, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(secret)
            os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink(missing_ok=True)
    return path.read_text().strip()
