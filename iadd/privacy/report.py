"""The report of an audit."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Outcome = Literal["passed", "refused", "warned", "no_power"]
Verdict = Literal["refuted", "not_refuted", "proven"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of the distilled set, with its outcome.

    Attributes:
        name: Stable name, such as ``closest_record_ssim``.
        title: Title for people.
        value: The measured value, or None where nothing could be measured.
        interval: 95% interval of the value, or None.
        rule: Condition under which the metric refuses.
        outcome: ``passed``; ``refused``; ``warned``; or ``no_power``, when the outcome would have
            been the same with a leak.
        explanation: Meaning of the numbers.
    """

    name: str
    title: str
    value: float | None
    interval: tuple[float, float] | None
    rule: str
    outcome: Outcome
    explanation: str


@dataclass(frozen=True, kw_only=True)
class Control:
    """The same metrics on images with a known outcome.

    Attributes:
        name: ``positive`` (must be refused) or ``negative`` (must not be).
        title: Title for people.
        description: Description of the images.
        images: Number of images.
        refused: For each metric that was run on them, by name, whether it refused.
    """

    name: str
    title: str
    description: str
    images: int
    refused: Mapping[str, bool]

    @property
    def as_expected(self) -> bool:
        """True if every metric had the expected outcome."""
        return bool(self.refused) and set(self.refused.values()) == {self.name == "positive"}


@dataclass(frozen=True, kw_only=True)
class PrivacyReport:
    """The verdict of an audit, with its metrics and controls.

    Attributes:
        verdict: ``refuted`` when any metric refuses, else ``not_refuted``.
        statement: The verdict in words, with its limits.
        metrics: Metrics in the order of the audit.
        controls: The positive and the negative control.
        counts: ``distilled``, ``training`` and ``held_out`` images, ``reference`` images that the
            thresholds come from, and ``duplicates`` left out of these.
        embedding: The embedding that was used, in words.
    """

    verdict: Verdict
    statement: str
    metrics: tuple[Metric, ...]
    controls: tuple[Control, ...]
    counts: Mapping[str, int]
    embedding: str

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types, which :meth:`from_dict` reads; no figure is of one image."""
        document = asdict(self)
        for metric in document["metrics"]:
            metric["interval"] = None if metric["interval"] is None else list(metric["interval"])
        document["metrics"] = list(document["metrics"])
        document["controls"] = [
            {**asdict(control), "as_expected": control.as_expected} for control in self.controls
        ]
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote."""
        metrics = (
            Metric(**{**m, "interval": None if m["interval"] is None else tuple(m["interval"])})
            for m in document["metrics"]
        )
        controls = (
            Control(**{key: value for key, value in c.items() if key != "as_expected"})
            for c in document["controls"]
        )
        return cls(**{**document, "metrics": tuple(metrics), "controls": tuple(controls)})
