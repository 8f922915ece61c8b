"""The report of an audit: metrics, attacks, controls, power and the verdict."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Outcome = Literal["passed", "refused", "warned", "no_power"]
AttackOutcome = Literal["refuted", "inconclusive", "not_refuted"]
Verdict = Literal["refuted", "inconclusive", "not_refuted", "proven"]
Unit = Literal["image", "patient"]


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
class Attack:
    """One membership attack on one stratum of the audit units.

    Attributes:
        name: Stable name: ``lira``, ``rmia``, ``loss``, ``gradient``, ``nearest`` or
            ``matched_filter``.
        title: Title for people.
        stratum: The units attacked: ``all``, ``contributors``, ``outliers`` or ``class:<name>``.
        auc: Area under the ROC curve; 0.5 is chance.
        auc_interval: 95% interval of the AUC.
        tpr: Share of members found at the false-alarm rate ``fpr``.
        tpr_interval: Holm-adjusted 95% bounds of ``tpr``, lower and upper.
        fpr: False-alarm rate reached on the test runs.
        p: Holm-adjusted p-value of the exact null: right guesses are fair coins.
        units: Scores: test runs times units.
        outcome: Outcome of the three-way rule at the report's ``leak_limit``.
    """

    name: str
    title: str
    stratum: str
    auc: float
    auc_interval: tuple[float, float]
    tpr: float
    tpr_interval: tuple[float, float]
    fpr: float
    p: float
    units: int
    outcome: AttackOutcome


@dataclass(frozen=True, kw_only=True)
class Power:
    """The smallest leak that the membership attacks would have found.

    Attributes:
        tpr: Smallest share of members found, at ``fpr`` false alarms, that is told from chance
            with probability ``chance``.
        fpr: False-alarm rate, 0.01.
        chance: Probability of finding a leak of that size, 0.8.
        unit: ``image`` or ``patient``.
        runs: Test runs T.
        units: Audit units m of a run.
        deff: Design effect: variance over runs over the binomial variance; 1 where T = 1.
        reduced: True if the runs had smaller settings than the set that is shipped. Such power is
            none for the shipped set.
        tier: 0 where the shipped run itself is the only test run; 2 for repeated runs.
    """

    tpr: float
    fpr: float
    chance: float
    unit: Unit
    runs: int
    units: int
    deff: float
    reduced: bool
    tier: int


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Differential privacy of the set.

    Attributes:
        epsilon: ε spent on this dataset by all that this set depends on.
        delta: δ.
        unit: ``image`` or ``patient``.
        accountant: Accountant and its version.
        audited_epsilon: Lower bound (95%) of ε from a one-run audit (Steinke et al. 2023), or None
            where none was run.
        events: The accounted reads of the data, in words, without secrets.
        canaries: Of the one-run audit; 0 where none was run.
        guesses: How many of their coins were guessed.
        right: How many guesses were right.
    """

    epsilon: float
    delta: float
    unit: Unit
    accountant: str
    audited_epsilon: float | None
    events: tuple[str, ...]
    canaries: int = 0
    guesses: int = 0
    right: int = 0

    @property
    def holds(self) -> bool:
        """False if the one-run audit found more than the proof allows: there is a bug in it."""
        return self.audited_epsilon is None or self.audited_epsilon <= self.epsilon

    @property
    def statement(self) -> str:
        """What is proven, in a sentence."""
        if not self.holds:
            return (
                f"The proof does not hold: an attack on its canaries shows ε ≥ "
                f"{self.audited_epsilon:.3g}, and ε = {self.epsilon:.3g} was claimed."
            )
        return (
            f"Proven: differential privacy with ε = {self.epsilon:.3g}, δ = {self.delta:.1g} for "
            f"each {self.unit}."
        )


@dataclass(frozen=True, kw_only=True)
class Dose:
    """One row of the positive control: copies of training images in one disguise.

    Attributes:
        disguise: Stable name, such as ``shifted``.
        title: The disguise in words, with its size.
        images: Number of images.
        refused: For each metric that was run on them, by name, whether it refused.
    """

    disguise: str
    title: str
    images: int
    refused: Mapping[str, bool]

    @property
    def found(self) -> bool:
        """True if any metric refused."""
        return any(self.refused.values())


@dataclass(frozen=True, kw_only=True)
class Control:
    """The same metrics on images with a known outcome.

    Attributes:
        name: ``positive`` (must be refused) or ``negative`` (must not be).
        title: Title for people.
        description: Description of the images.
        images: Number of images.
        refused: For each metric that was run on them, by name, whether it refused.
        doses: Of the positive control, one row per disguise.
    """

    name: str
    title: str
    description: str
    images: int
    refused: Mapping[str, bool]
    doses: tuple[Dose, ...] = ()

    @property
    def as_expected(self) -> bool:
        """True if every metric had the expected outcome."""
        return bool(self.refused) and set(self.refused.values()) == {self.name == "positive"}


@dataclass(frozen=True, kw_only=True)
class PrivacyReport:
    """The verdict of an audit, with what it rests on. No figure is of a single image.

    Attributes:
        verdict: ``refuted`` when a metric or an attack refuses; ``proven`` under differential
            privacy; ``not_refuted`` when the upper bound of every attack is at or below
            ``leak_limit``; else ``inconclusive``.
        statement: The verdict in words, with its limits.
        metrics: Metrics in the order of the audit.
        attacks: Membership attacks by stratum; empty where none was run.
        controls: The positive and the negative control.
        power: Power of the attacks, or None where there is none.
        proof: Differential privacy, or None.
        leak_limit: The limit that the verdict was reached with.
        unit: What the audit protects: ``image``, or ``patient`` where patients are known.
        counts: ``distilled``, ``training`` and ``held_out`` images, ``reference`` images that the
            thresholds come from, and ``duplicates`` left out of these.
        embedding: The embedding that was used, in words.
        attempts: Audits of this dataset so far, this one included; a release chosen among many is
            worth less. None where nobody counts.
    """

    verdict: Verdict
    statement: str
    metrics: tuple[Metric, ...]
    controls: tuple[Control, ...]
    counts: Mapping[str, int]
    embedding: str
    attacks: tuple[Attack, ...] = ()
    power: Power | None = None
    proof: Proof | None = None
    leak_limit: float = 0.05
    unit: Unit = "image"
    attempts: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types, which :meth:`from_dict` reads; no figure is of one image."""
        document = asdict(self)
        for row in (*document["metrics"], *document["attacks"]):
            for name in ("interval", "auc_interval", "tpr_interval"):
                if row.get(name) is not None:
                    row[name] = list(row[name])
        document["metrics"] = list(document["metrics"])
        document["attacks"] = list(document["attacks"])
        document["controls"] = [_control_to_dict(control) for control in self.controls]
        if document["proof"] is not None:
            document["proof"]["events"] = list(document["proof"]["events"])
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote, in this version or an earlier one."""
        power, proof = document.get("power"), document.get("proof")
        parts = {
            "metrics": tuple(Metric(**_with_intervals(row)) for row in document["metrics"]),
            "attacks": tuple(Attack(**_with_intervals(row)) for row in document.get("attacks", ())),
            "controls": tuple(map(_control_from_dict, document["controls"])),
            "power": None if power is None else Power(**power),
            "proof": None
            if proof is None
            else Proof(**{**proof, "events": tuple(proof["events"])}),
        }
        return cls(**{**document, **parts})


def _with_intervals(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if name.endswith("interval") and value is not None else value
        for name, value in row.items()
    }


def _control_to_dict(control: Control) -> dict[str, Any]:
    document = asdict(control)
    document["doses"] = [{**asdict(dose), "found": dose.found} for dose in control.doses]
    return {**document, "as_expected": control.as_expected}


def _control_from_dict(document: Mapping[str, Any]) -> Control:
    doses = tuple(
        Dose(**{name: value for name, value in dose.items() if name != "found"})
        for dose in document.get("doses", ())
    )
    known = {name: value for name, value in document.items() if name != "as_expected"}
    return Control(**{**known, "doses": doses})
