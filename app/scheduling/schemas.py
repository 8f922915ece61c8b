"""Schemas of what a job waits for."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from app.core.queue import Queue
from app.core.schemas import ReplyModel


class WaitReason(StrEnum):
    DRAINED = "drained"
    """The operator has drained the service; no worker takes work until that ends."""
    NO_WORKER = "no-worker"
    """No living worker takes from the queue."""
    NEXT = "next"
    """A worker is free; it takes the row within seconds."""
    BUSY = "busy"
    """Every worker of the queue works on another row."""


class Wait(ReplyModel):
    reason: WaitReason
    queue: Queue
    since: datetime = Field(description="When its next step began to wait.")
    organisations_before: int = Field(
        description="Other organisations whose turn comes before that of the caller's."
    )
    own_before: int = Field(description="Waiting steps of the caller's own other jobs before it.")


class WaitRead(ReplyModel):
    waiting: Wait | None = Field(
        description="Null: a worker works on it, or it waits for a person, or it has ended."
    )
