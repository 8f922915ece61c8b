from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx

from app.client.accounts import time_of
from app.client.downloads import CHUNK
from app.client.models import AuditEntry
from app.client.transport import Transport, unreachable


class Log:
    """The hash-chained log of the user's organisation, for auditors."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def entries(
        self,
        *,
        action: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
    ) -> Iterator[AuditEntry]:
        """Newest first. What is None does not narrow it.

        Args:
            action: As in `release.published`.
            subject: Id of what it was done to.
            since: With a time zone.
        """
        params = {"action": action, "subject": subject, "since": time_of(since)}
        return self._transport.rows("/audit", AuditEntry, params)

    def export(self, path: Path) -> None:
        """Write the whole log to a file as JSON lines, the last one signed: all of it, or nothing.

        The log records each export, so an interrupted one begins anew.

        Raises:
            PortalError: It was refused, or broke off.
            OSError: The folder cannot be written to.
        """
        part = path.with_name(f"{path.name}.part")
        try:
            with (
                self._transport.stream("/audit/export", {"Accept-Encoding": "identity"}) as reply,
                part.open("wb") as file,
            ):
                for piece in reply.iter_raw(CHUNK):
                    file.write(piece)
            part.replace(path)
        except httpx.RequestError as error:
            raise unreachable(error) from error
        finally:
            part.unlink(missing_ok=True)
