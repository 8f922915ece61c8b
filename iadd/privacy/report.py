"""What an audit answers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Outcome = Literal["passed", "refused", "warned", "no_power"]
Verdict = Literal["refuted", "not_refuted", "proven"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One question put to the distilled set, and what came of it.

    Attributes:
        name: Stable, such as ``closest_record_ssim``.
        title: For people.
        value: What was measured, or None where nothing could be.
        interval: 95% interval of the value, or None.
        rule: When the metric refuses.
        outcome: ``passed``; ``refused``; ``warned``; or ``no_power``, when it would have answered
            the same had there been a leak.
        explanation: What the numbers mean here.
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
    """The same metrics on images of which the right answer is known.

    Attributes:
        name: ``positive`` (must be refused) or ``negative`` (must not be).
        title: For people.
        description: What the images are.
        images: How many were put in.
        refused: For each metric that was run on them, by name, whether it refused.
    """

    name: str
    title: str
    description: str
    images: int
    refused: Mapping[str, bool]

    @property
    def as_expected(self) -> bool:
        """Whether every metric answered as it should."""
        return bool(self.refused) and set(self.refused.values()) == {self.name == "positive"}


@dataclass(frozen=True, kw_only=True)
class PrivacyReport:
    """The answer of the battery.

    Attributes:
        verdict: ``refuted`` when any metric refuses, else ``not_refuted``.
        statement: The verdict in words, with what it does not say.
        metrics: In the order of the battery.
        controls: The positive and the negative one.
        counts: ``distilled``, ``training`` and ``held_out`` images, ``reference`` images that the
            thresholds come from, and ``duplicates`` left out of these.
        embedding: Which embedding was used, in words.
    """

    verdict: Verdict
    statement: str
    metrics: tuple[Metric, ...]
    controls: tuple[Control, ...]
    counts: Mapping[str, int]
    embedding: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it; :meth:`from_dict` reads it back. It holds no figure of one image."""
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
