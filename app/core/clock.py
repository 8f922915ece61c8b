"""The clock of the portal."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
