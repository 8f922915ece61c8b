"""What `iadd.forecast.device_benchmark` measured of a worker's device; the portal multiplies."""

from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict

from app.core.types import JsonObject


class Pace(BaseModel):
    """Seconds of a call: `fixed + each · units`."""

    model_config = ConfigDict(frozen=True)

    fixed: float
    each: float


class StepPace(BaseModel):
    """A student step, and an epoch of one network, at one size of the distilled set."""

    model_config = ConfigDict(frozen=True)

    batch: int
    images: int
    step: float
    epoch: float
    epoch_fixed: float
    peak_bytes: int


class CrossPace(BaseModel):
    """An epoch of another network on so many distilled images."""

    model_config = ConfigDict(frozen=True)

    images: int
    each: float
    fixed: float


class Compilation(BaseModel):
    model_config = ConfigDict(frozen=True)

    possible: bool
    seconds: float
    saved_per_step: float
    saved_per_operation: float


class Paces(BaseModel):
    model_config = ConfigDict(frozen=True)

    device: str
    kind: str
    memory_bytes: int
    shown: int
    """Images of a measured epoch of a teacher, or of a network on the full data."""
    teaching: Pace
    full: Pace
    teachers_at_once: int
    points: tuple[StepPace, ...]
    across: dict[str, tuple[CrossPace, ...]] = {}
    """By other network that the set is tried with; at one size or two, the smaller first."""
    covers_images: int
    steps: int
    base_bytes: int
    """The most memory while teachers, networks on the full data and other ones were trained."""
    parameters: int
    channels: int
    forward_operations: int
    compilation: Compilation
    cpu_share: float | None

    @classmethod
    def of(cls, document: JsonObject) -> Self:
        return cls.model_validate(document)

    @property
    def was_disturbed(self) -> bool:
        """Whether others had most of the CPU meanwhile: then it is slower than it may be."""
        return self.cpu_share is not None and self.cpu_share < LEAST_SHARE

    def step(self, batch: int) -> float:
        """Seconds of a student step with so many images."""
        return _on_line([(point.batch, point.step) for point in self.points], batch)

    def epoch(self, images: int) -> Pace:
        """Of one network on a distilled set of so many images."""
        each = _on_line([(point.images, point.epoch) for point in self.points], images)
        fixed = _on_line([(point.images, point.epoch_fixed) for point in self.points], images)
        return Pace(fixed=fixed, each=each)

    def epoch_across(self, network: str, images: int) -> Pace:
        """Of another network on a distilled set of so many images."""
        points = self.across[network]
        if len(points) == 1:  # a part of a larger set
            each = points[0].each * images / points[0].images
        else:
            each = _on_line([(point.images, point.each) for point in points], images)
        return Pace(fixed=points[-1].fixed, each=each)

    def peak_bytes(self, batch: int) -> float:
        """The most memory, with so many images in a student step."""
        line = _on_line([(point.batch, float(point.peak_bytes)) for point in self.points], batch)
        return max(float(self.base_bytes), line)


LEAST_SHARE = 0.4


def _on_line(points: Sequence[tuple[int, float]], x: int) -> float:
    """On the line through the outer points; more images never take less."""
    (left, low), (right, high) = points[0], points[-1]
    if left == right:
        return high
    slope = max(0.0, (high - low) / (right - left))
    # From the larger: of a step it is the better measured, being the longer.
    return max(high + slope * (x - right), low * min(1.0, x / left))
