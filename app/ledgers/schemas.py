from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from app.core.schemas import ReplyModel


class ReadsRead(ReplyModel):
    """Reads of one kind and purpose, by one run."""

    kind: Literal["budgeted", "public", "fatal"] = Field(
        description="`budgeted`: answered with noise, and paid for by ε. `public`: declared, or "
        "computed from paid answers. `fatal`: answered without noise; what depends on it has no "
        "proof and is not released."
    )
    purpose: str
    run: str = Field(description="What depends on the answers.")
    mechanism: dict[str, Any] | None = Field(
        description="Of a budgeted read: `name`, `noise` over the clipping norm, sampling `rate`."
    )
    count: int
    first_at: datetime
    last_at: datetime


class RunRead(ReplyModel):
    run: str
    epsilon: float | None = Field(description="ε of its reads alone; null where it is infinite.")


class LedgerRead(ReplyModel):
    """What was read of a dataset's images under differential privacy; nothing is ever removed."""

    dataset_id: str
    delta: float
    epsilon: float | None = Field(
        description="ε that all runs on all versions of the dataset have spent together, those of "
        "deleted distillations included; null where it is infinite."
    )
    not_covered: int = Field(
        description="Distillations without a proof, and trainings, that read the images exactly: "
        "ε does not cover what is shared of them."
    )
    runs: list[RunRead]
    reads: list[ReadsRead]
