"""Stores sign-ins to portals in the user's configuration folder.

One file that only its owner can read, `sign-ins.json`, with one token for each portal. A token is
never used for another portal than the one that it came from.
"""

import json
import os
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_serializer

from app.client.addresses import LOCAL_PORTAL, portal_address
from app.client.errors import PortalError


class NotSignedInError(PortalError):
    """No token is available."""


class SignIn(BaseModel):
    """One portal's token, and what it is."""

    model_config = ConfigDict(frozen=True)

    token: SecretStr
    token_id: str | None = None
    """None: it was brought along, and is not this program's to delete."""
    name: str
    organisation: str
    signed_in_at: datetime
    expires_at: datetime | None = None

    @field_serializer("token", when_used="json")
    def _write_token(self, token: SecretStr) -> str:
        return token.get_secret_value()


class _Stored(BaseModel):
    portals: dict[str, SignIn] = Field(default_factory=dict)


class SignIns:
    """The file. Every method raises PortalError where it cannot be read.

    Args:
        path: The file; by default in the user's configuration folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_folder() / "sign-ins.json"

    def get(self, portal: str) -> SignIn | None:
        return self._read().portals.get(portal)

    def latest(self) -> str | None:
        """The portal that was signed in to last."""
        portals = self._read().portals
        return max(portals, key=lambda url: portals[url].signed_in_at, default=None)

    def put(self, portal: str, sign_in: SignIn) -> None:
        """Raises OSError where the folder cannot be written to."""
        stored = self._read()
        self._write(_Stored(portals={**stored.portals, portal: sign_in}))

    def remove(self, portal: str) -> None:
        stored = self._read()
        left = {url: kept for url, kept in stored.portals.items() if url != portal}
        self._write(_Stored(portals=left))

    def _read(self) -> _Stored:
        try:
            return _Stored.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return _Stored()
        except OSError as error:
            reason = error.strerror or "it cannot be opened"
            raise PortalError(f"{self.path} cannot be read: {reason}.") from error
        except ValidationError:
            # Without what it says of the file: that may hold a token.
            raise PortalError(
                f"{self.path} is not as it was written. Remove it, and sign in again: "
                "exchange login"
            ) from None

    def _write(self, stored: _Stored) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        try:
            # Private from the start: created with these permissions, and then filled.
            with os.fdopen(
                os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
            ) as file:
                json.dump(stored.model_dump(mode="json"), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)


def config_folder() -> Path:
    """The user's own, as the system names it: `XDG_CONFIG_HOME` or ~/.config, Library, AppData."""
    import typer

    return Path(typer.get_app_dir("iadd-exchange"))


def find_portal(url: str | None = None) -> str:
    """The address that was named, else the environment's, else the one signed in to last."""
    named = url or os.environ.get("EXCHANGE_PORTAL_URL", "").strip()
    if named:
        return portal_address(named)
    if _token_of_environment():
        # The environment must name the portal: a token must not go to another one.
        return LOCAL_PORTAL
    return SignIns().latest() or LOCAL_PORTAL


def find_sign_in(url: str | None = None) -> tuple[str, str]:
    """Address and token to ask with: `EXCHANGE_TOKEN`, else what `exchange login` stored.

    Raises:
        NotSignedInError: There is neither.
    """
    portal = find_portal(url)
    token = _token_of_environment()
    if token:
        return portal, token
    stored = SignIns().get(portal)
    if stored is None:
        raise NotSignedInError(
            f"You are not signed in at {portal}. Sign in (exchange login --portal {portal}), or "
            "set EXCHANGE_TOKEN to a token. Nothing was sent."
        )
    return portal, stored.token.get_secret_value()


def _token_of_environment() -> str:
    return os.environ.get("EXCHANGE_TOKEN", "").strip()
