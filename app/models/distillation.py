import secrets
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps
from app.models.lease import Leased


class DistillationStatus(StrEnum):
    QUEUED = "queued"
    TEACHING = "teaching"
    DISTILLING = "distilling"
    EVALUATING = "evaluating"
    AUDITING = "auditing"
    PACKAGING = "packaging"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset(
    {DistillationStatus.READY, DistillationStatus.FAILED, DistillationStatus.CANCELLED}
)
ACTIVE = tuple(status for status in DistillationStatus if status not in FINAL)
PHASES = tuple(status for status in ACTIVE if status != DistillationStatus.QUEUED)


class Verdict(StrEnum):
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    NOT_REFUTED = "not_refuted"
    PROVEN = "proven"


class Randomness(StrEnum):
    """Where the draws come from that touch the hospital's images."""

    SECRET = "secret"  # noqa: S105 (a word of its own)
    """A seed that nobody was ever told and that is forgotten by now."""
    PUBLISHED = "published"
    """The seed that the report names: whoever has candidates can repeat the run."""


class Priority(StrEnum):
    """Which of an organisation's distillations goes first; other organisations do not notice."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


def new_private_seed() -> str:
    """32 hexadecimal digits of the operating system's entropy."""
    return secrets.token_hex(16)


class Distillation(Leased, Timestamps, Base):
    __tablename__ = "distillation"
    __table_args__ = (
        Index(None, "organisation_id", "created_at", "id"),
        Index(None, "organisation_id", "status", "finished_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("dl"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), index=True)
    trajectory_set_id: Mapped[str | None] = mapped_column(
        ForeignKey("trajectory_set.id"), index=True, default=None
    )
    preset: Mapped[str] = mapped_column(String(64))
    images_per_class: Mapped[int]
    initialisation: Mapped[str] = mapped_column(String(32))
    seed: Mapped[int] = mapped_column(BigInteger)
    overrides: Mapped[JsonObject] = mapped_column(JsonColumn, default=dict)
    """Settings of the preset that the caller changed, besides the fields above (flat names)."""
    private_seed: Mapped[str | None] = mapped_column(String(32), default=new_private_seed)
    """Draws that touch the images follow from it. No reply, page, log, checkpoint or bundle has it;
    it is forgotten once the distillation is ready or deleted."""
    randomness: Mapped[Randomness] = mapped_column(
        text_enum(Randomness), default=Randomness.SECRET, server_default=text("'published'")
    )
    audit: Mapped[str | None] = mapped_column(String(32), default=None)
    """Name of the audit that was asked for (`iadd.presets.AUDITS`); its sizes are settings."""
    priority: Mapped[Priority] = mapped_column(
        text_enum(Priority), default=Priority.NORMAL, server_default=text("'normal'")
    )
    forecast_id: Mapped[str | None] = mapped_column(String(40), index=True, default=None)
    """The forecast that was shown before it began."""
    settings: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    """The full configuration, written by the worker that starts it: `Config.to_dict()`."""
    status: Mapped[DistillationStatus] = mapped_column(
        text_enum(DistillationStatus), default=DistillationStatus.QUEUED, index=True
    )
    phases: Mapped[JsonObject] = mapped_column(JsonColumn, default=dict)
    """{phase: {"done": n, "total": n, "unit": "..."}} of every phase begun so far."""
    metrics: Mapped[JsonObject] = mapped_column(JsonColumn, default=dict)
    eta_seconds: Mapped[float | None] = mapped_column(default=None)
    attempt: Mapped[int] = mapped_column(default=1)
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    timings: Mapped[JsonObject] = mapped_column(JsonColumn, default=dict)
    """{phase: seconds of work}, over all attempts."""
    verdict: Mapped[Verdict | None] = mapped_column(text_enum(Verdict), default=None)
    problem: Mapped[JsonObject | None] = mapped_column(JsonColumn, default=None)
    checkpoint_key: Mapped[str | None] = mapped_column(default=None)
    distilled_key: Mapped[str | None] = mapped_column(default=None)
    evaluation_key: Mapped[str | None] = mapped_column(default=None)
    privacy_key: Mapped[str | None] = mapped_column(default=None)
    report_json_key: Mapped[str | None] = mapped_column(default=None)
    report_html_key: Mapped[str | None] = mapped_column(default=None)
    report_pdf_key: Mapped[str | None] = mapped_column(default=None)
    internal_html_key: Mapped[str | None] = mapped_column(default=None)
    """The report that shows what the images started from; it never outlives the dataset."""
    internal_pdf_key: Mapped[str | None] = mapped_column(default=None)
    bundle_key: Mapped[str | None] = mapped_column(default=None)
    withdrawal_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """Some of its images were withdrawn since: it is neither released nor gone on with."""
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    purged_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

    @property
    def phase(self) -> DistillationStatus | None:
        """The phase that it is in, or stopped in; None before the first and once it is ready."""
        if self.status in PHASES:
            return self.status
        if self.status in (DistillationStatus.QUEUED, DistillationStatus.READY):
            return None
        begun = [phase for phase in PHASES if phase.value in self.phases]
        return begun[-1] if begun else None

    @property
    def progress(self) -> JsonObject | None:
        """Done, total and unit of that phase."""
        return None if self.phase is None else self.phases.get(self.phase.value)


PRIVATE_KEYS = (
    *("checkpoint_key", "distilled_key", "evaluation_key", "privacy_key"),
    *("internal_html_key", "internal_pdf_key"),
)
RESULT_KEYS = ("report_json_key", "report_html_key", "report_pdf_key", "bundle_key")
