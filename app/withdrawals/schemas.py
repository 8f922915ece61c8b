from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from app.core.schemas import ReplyModel, RequestModel, Text
from app.models.withdrawal import WithdrawalStatus

FileName = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class WithdrawalCreate(RequestModel):
    """Withdrawn files of patients, or the whole dataset."""

    files: Annotated[list[FileName], Field(min_length=1, max_length=10000)] | None = Field(
        default=None,
        description="Names in the archive, or folders that end in `/`. They are kept until the "
        "images are removed, and shown to nobody.",
    )
    whole_dataset: bool = False
    reason: Annotated[Text, StringConstraints(min_length=3, max_length=2000)] = Field(
        description="Recipients read it. It must not identify a patient."
    )
    keep_releases: bool = Field(
        default=False,
        description="Mark the releases that came from it, notify their recipients, and leave "
        "them published. Absent: they are withdrawn.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.whole_dataset == (self.files is not None):
            raise ValueError("name `files`, or say `whole_dataset`: one of both")
        return self


class LineageRead(ReplyModel):
    """Lineage of a dataset."""

    trajectories: list[dict[str, Any]]
    distillations: list[dict[str, Any]]
    releases: list[dict[str, Any]]
    recipients: list[dict[str, Any]]


class WithdrawalRead(ReplyModel):
    id: str
    created_at: datetime
    dataset_id: str
    whole_dataset: bool
    images: int | None = Field(description="Number of images removed.")
    reason: str
    keep_releases: bool
    asked_by: str
    status: WithdrawalStatus
    problem: dict[str, Any] | None
    finished_at: datetime | None
    lineage: LineageRead
    again: list[str] = Field(
        description="Distillations to make anew without these images: POST …/{id}/again."
    )
