"""Schemas for operators: ids, numbers and organisations' names, nothing that they store."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from app.core.queue import Queue
from app.core.schemas import Line, ReplyModel, RequestModel
from app.distillations.schemas import Progress
from app.maintenance.admission import Refusal
from app.models.scheduled_backup import BackupStatus


class JobKind(StrEnum):
    DATASET = "dataset"
    """The check of an archive."""
    DISTILLATION = "distillation"
    TEACHER = "teacher"
    REPETITION = "repetition"
    """Repetitions of a distillation for its audit."""
    TRAINING = "training"
    WITHDRAWAL = "withdrawal"


class HeldRow(ReplyModel):
    kind: JobKind
    id: str
    since: datetime | None = Field(description="Null until the worker's first report.")


class WorkerRead(ReplyModel):
    id: str = Field(description="Host and process.")
    host: str
    pid: int
    queues: list[str]
    device: str
    memory_bytes: int | None = Field(
        description="Of the GPU, or of the machine where it computes on its CPU; null where a "
        "worker of an older version did not say."
    )
    version: str
    started_at: datetime
    seen_at: datetime
    alive: bool = Field(description="It sent a heartbeat within the last half minute.")
    refusal: Refusal | None = Field(description="Why it takes no work; null where it takes some.")
    advice: str | None = Field(description="The same in words, with what to do.")
    holds: list[HeldRow] = Field(description="Rows whose lease it has.")


class WorkersRead(ReplyModel):
    items: list[WorkerRead]


class PortalRead(ReplyModel):
    id: str = Field(description="Host and process.")
    version: str
    started_at: datetime
    seen_at: datetime


class ScheduledBackupRead(ReplyModel):
    hours: float = Field(description="From one to the next.")
    status: BackupStatus = Field(description="Of the last try.")
    tried_at: datetime | None = Field(description="When the last try ended.")
    made_at: datetime | None = Field(description="Of the last good one.")
    size: int | None = Field(description="Bytes of the last good one.")
    problem: str | None = Field(description="Why the last try failed.")


class ServiceRead(ReplyModel):
    version: str = Field(description="Of the portal that answers.")
    drained_at: datetime | None = Field(description="Set: no worker takes work.")
    portals: list[PortalRead] = Field(description="Portals that live.")
    backup: ScheduledBackupRead | None = Field(description="Null where none is scheduled.")


class QueueRead(ReplyModel):
    name: Queue
    messages: int | None = Field(
        description="That no worker has taken; null where the broker does not answer."
    )
    waiting: int = Field(description="Rows that nobody works on, each with its message.")
    held: int = Field(description="Rows that a worker works on.")
    oldest_waiting_since: datetime | None
    workers: int = Field(description="Living processes that take work from it.")


class QueuesRead(ReplyModel):
    items: list[QueueRead]


class Disk(ReplyModel):
    total_bytes: int
    free_bytes: int


class StorageOfOrganisation(ReplyModel):
    organisation_id: str
    organisation: str
    stored_bytes: int = Field(description="Archives and releases.")
    quota_bytes: int


class StorageRead(ReplyModel):
    disk: Disk = Field(description="The disk of the data folder; objects may be stored elsewhere.")
    stored_bytes: int = Field(description="Archives and releases of every organisation.")
    items: list[StorageOfOrganisation]
    next_cursor: str | None = Field(
        description="Pass as `cursor` for the next page; null at the end."
    )


class JobRead(ReplyModel):
    kind: JobKind
    id: str
    created_at: datetime
    organisation_id: str
    organisation: str
    status: str
    active: bool = Field(description="It waits or runs.")
    phase: str | None
    progress: Progress | None
    eta_seconds: float | None
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None = Field(description="Id of the worker that holds its lease.")
    problem: str | None = Field(description="Code of what went wrong; the text is its owner's.")
    cancel_requested_at: datetime | None


class JobCancel(RequestModel):
    reason: Line = Field(description="Told to the organisation, and written into both logs.")


class CheckRead(ReplyModel):
    name: str = Field(description="`database`, `broker`, `objects` or `disc`.")
    works: bool


class FailureRead(ReplyModel):
    kind: str
    problem: str = Field(description="Code of the problem.")
    count: int


class StatusRead(ReplyModel):
    """The service on one screen. Without a database only what needs none is known."""

    at: datetime
    version: str = Field(description="Of the portal that answers.")
    checks: list[CheckRead]
    disk: Disk
    reserve_bytes: int = Field(description="Below so much free room uploads are refused.")
    service: ServiceRead | None = Field(
        description="Whether it is drained, its portals, its scheduled backups; null without a "
        "database."
    )
    workers: list[WorkerRead]
    queues: list[QueueRead]
    jobs: list[JobRead] = Field(description="Those that wait or run, the newest twenty.")
    more_jobs: bool = Field(description="There are more of them.")
    failures: list[FailureRead] = Field(description="Of the last day, most frequent first.")
    faults: list[str] = Field(description="What is broken, in words; empty: everything works.")
