"""Release policy: decides by the report's privacy section whether a set may be released.

Nothing is released on distances alone: a set needs membership attacks of known power that found no
leak above the organisation's limit, or a proof. The verdict's rule is applied again here, with the
organisation's own limits (docs/adr/032). What an audit refused is released under no policy, and two
people can waive nothing that a policy could not allow.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

from pydantic import Field

from app.core.schemas import RequestModel
from app.core.types import JsonObject
from app.models.distillation import Randomness, Verdict
from app.models.organisation import Organisation
from iadd.presets import AUDITS, SINGLE_PATIENT_STARTS
from iadd.privacy.power import reachable_tpr
from iadd.privacy.statistics import reproduced_outcome

RELEASED_FORMAT = "8bit"
"""The format whose images can be looked at whole: what is audited is what leaves."""
LARGEST_EPSILON = 1e6
"""Above it nothing is bounded, and nobody may waive that."""
FALSE_ALARMS = 0.01
"""The false-alarm rate that every limit is for."""


class Policy(RequestModel):
    """An organisation's policy for its own releases."""

    proven_only: bool = Field(
        default=False, description="Release nothing but sets made under differential privacy."
    )
    largest_epsilon: float = Field(
        default=8.0,
        gt=0,
        le=100,
        description="Largest ε of a set that is proven under differential privacy.",
    )
    largest_leak: float = Field(
        default=0.05,
        ge=0.011,
        le=1,
        description="Share of members found at 1 % false alarms that the upper bound (95 %) of "
        "every membership attack has to stay at or below.",
    )
    largest_power: float = Field(
        default=0.05,
        ge=0.011,
        le=1,
        description="Largest value of `power.tpr`: the attacks would have found every leak of this "
        "share of members at 1 % false alarms with a probability of 80 %.",
    )
    real_starts: bool = Field(
        default=False,
        description="Allow sets whose images started from single patients' images (`real`) or "
        "their means (`k_mean`), which tell who is in the set, where the audit cleared them.",
    )
    metrics_without_power: int = Field(
        default=100,
        ge=0,
        le=100,
        description="Most metrics of the audit that may have had no power to find anything.",
    )
    fewest_images_per_class: int = Field(
        default=1, ge=1, le=10**6, description="Smallest class of training images to release from."
    )


class Objection(NamedTuple):
    """Reason against a release."""

    code: str
    """Stable; pages choose their advice by it."""
    reason: str
    """A sentence or two."""
    waivable: bool = False
    """A policy could allow it, so two people may waive it for one release."""


@dataclass(frozen=True)
class Decision:
    """Decision of the release policy.

    Attributes:
        objections: Reasons against the release that nobody waived.
        waived: Reasons that two people waived for this release.
        policy: The policy that was applied, kept with the release.
    """

    objections: tuple[Objection, ...]
    waived: tuple[Objection, ...]
    policy: Policy

    @property
    def allowed(self) -> bool:
        """True if it may be released."""
        return not self.objections

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reasons against the release; one sentence or two each."""
        return tuple(objection.reason for objection in self.objections)

    @property
    def can_be_waived(self) -> bool:
        """True if two people could allow the release."""
        return bool(self.objections) and all(one.waivable for one in self.objections)

    def to_dict(self) -> JsonObject:
        return {
            "allowed": self.allowed,
            "reasons": list(self.reasons),
            "waived": [objection.code for objection in self.waived],
            "policy": self.policy.model_dump(mode="json"),
        }


def policy_of(organisation: Organisation) -> Policy:
    """The organisation's policy. What an earlier version knew and this one does not is left out."""
    known = {
        name: organisation.policy[name]
        for name in Policy.model_fields.keys() & organisation.policy.keys()
    }
    return Policy.model_validate(known)


def decide(report: Mapping[str, Any], policy: Policy, *, waived: Collection[str] = ()) -> Decision:
    """Judge a finished distillation by its ``report.json``.

    Args:
        report: The report.
        policy: The organisation's policy.
        waived: Codes of objections that two people waived; those that no policy could allow stay.
    """
    privacy = report.get("privacy") or {}
    found = [
        *_made_so(report),
        *_verdict(privacy),
        *_leaks(privacy, policy),
        *_under_policy(report, privacy, policy),
    ]
    kept = [one for one in found if not (one.waivable and one.code in waived)]
    return Decision(tuple(kept), tuple(one for one in found if one not in kept), policy)


def _made_so(report: Mapping[str, Any]) -> Iterator[Objection]:
    """Object to sets that tell more than their audit looked at."""
    if report.get("randomness") != Randomness.SECRET:
        yield Objection(
            "published-seed",
            "What touched the images was drawn from the published seed, so that whoever has "
            "candidates can repeat the run and compare. Distill again: new distillations draw from "
            "a secret that is forgotten.",
        )
    if report.get("image_format") != RELEASED_FORMAT:
        yield Objection(
            "float-images",
            "Its images are floating-point numbers, which can hide what no audit of pictures sees. "
            "Distill again with `image_format` 8bit.",
        )


def _verdict(privacy: Mapping[str, Any]) -> Iterator[Objection]:
    verdict = privacy.get("verdict")
    refused = [
        str(metric.get("title"))
        for metric in _rows(privacy, "metrics")
        if metric.get("outcome") == "refused"
    ]
    if refused:
        yield Objection("refused", f"The audit refused it: {', '.join(refused)}.")
    if verdict == Verdict.REFUTED or any(
        "refuted" in (attack.get("outcome"), _outcome(attack, 1.0))
        for attack in _rows(privacy, "attacks")
    ):
        yield Objection(
            "refuted",
            "The audit refuted it: an attack worked, or a copy of a training image was found. "
            "It stays in the organisation.",
        )
    elif verdict not in set(Verdict):
        yield Objection("no-verdict", "It has no verdict: what was not audited is not released.")


def _leaks(privacy: Mapping[str, Any], policy: Policy) -> Iterator[Objection]:
    """Apply the rule of the verdict again, with the organisation's limits."""
    verdict = privacy.get("verdict")
    if verdict == Verdict.PROVEN:
        yield from _proof(privacy.get("proof"), policy)
        return
    if verdict not in (Verdict.NOT_REFUTED, Verdict.INCONCLUSIVE):
        return
    attacks, power = _rows(privacy, "attacks"), privacy.get("power")
    outcomes = [_outcome(attack, policy.largest_leak) for attack in attacks]
    if not is_power(power) or not attacks or None in outcomes:
        yield Objection(
            "no-power",
            "Nothing is released on distances alone, and no membership attack of known power was "
            'run. Distill again with an audit of more runs, such as "audit": "audit_standard".',
        )
        return
    if power["tpr"] > policy.largest_power:
        yield Objection(
            "weak-power",
            f"Its attacks find leaks of {_percent(power['tpr'])} of the members and more, and your "
            f"organisation asks for {_percent(policy.largest_power)}. "
            f"{_more_runs(power, policy)}",
            waivable=True,
        )
    uncertain = [
        f"{attack.get('title')} ({_percent(attack['tpr_interval'][1])})"
        for attack, outcome in zip(attacks, outcomes, strict=True)
        if outcome != "not_refuted"
    ]
    if uncertain:
        listed = "; ".join(uncertain[:MOST_LISTED])
        yield Objection(
            "inconclusive",
            f"A leak above {_percent(policy.largest_leak)} of the members is not ruled out. Upper "
            f"bounds above it: {listed}. {_more_runs(power, policy)}",
            waivable=True,
        )
    metrics = _rows(privacy, "metrics")
    powerless = _without_power(metrics)
    if 2 * len(powerless) > len(metrics):
        yield Objection(
            "mostly-without-power",
            f"{len(powerless)} of {len(metrics)} metrics had no power to find anything, so that "
            "the audit is inconclusive under every policy. Distill again with more images per "
            "class, or from more images.",
        )


MOST_LISTED = 3
"""Attacks that a reason names."""


def is_power(power: Any) -> TypeGuard[Mapping[str, Any]]:
    """True if it states the power of attacks on the set that is shipped, in numbers."""
    if not isinstance(power, Mapping) or power.get("reduced") is not False:
        return False
    return (
        _is_number(power.get("tpr"), 0, 1)
        and _is_number(power.get("fpr"), 0, FALSE_ALARMS)
        and _is_number(power.get("chance"), 0.8, 1)
        and _is_number(power.get("deff"), 0, float("inf"))
        and power["tpr"] >= power["fpr"] > 0
        and power["deff"] > 0
        and power.get("unit") in ("image", "patient")
        and _is_count(power.get("runs"))
        and _is_count(power.get("units"))
    )


def _outcome(attack: Mapping[str, Any], limit: float) -> str | None:
    """Outcome of an attack at this limit; None where its row states no numbers."""
    low, high = attack.get("tpr_interval") or (None, None)
    if not all(_is_number(value, 0, 1) for value in (low, high, attack.get("p"))):
        return None
    try:
        return reproduced_outcome(attack, limit)
    except ValueError:
        return None


def _proof(proof: Any, policy: Policy) -> Iterator[Objection]:
    if not isinstance(proof, Mapping) or not (
        _is_number(proof.get("epsilon"), 0, LARGEST_EPSILON)
        and _is_number(proof.get("delta"), 0, 0.01)
    ):
        yield Objection("no-verdict", "It is called proven, and nothing proves it.")
        return
    audited = proof.get("audited_epsilon")
    if audited is not None and not _is_number(audited, 0, proof["epsilon"]):
        yield Objection(
            "refuted",
            f"An attack shows an ε of {audited} at least, above the {proof['epsilon']} that was "
            "claimed: the proof does not hold. It stays in the organisation.",
        )
    if proof["epsilon"] > policy.largest_epsilon:
        yield Objection(
            "large-epsilon",
            f"All runs on its dataset have spent ε = {proof['epsilon']:.3g} together, and your "
            f"organisation releases up to {policy.largest_epsilon:.3g}. What is spent stays spent: "
            "have an admin change the policy, or a second person approve an override; choose a "
            "smaller `epsilon` for the first run on another dataset.",
            waivable=True,
        )


def _more_runs(power: Mapping[str, Any], policy: Policy) -> str:
    """What to do about too few runs: the smallest audit that could be enough, or another limit."""
    for name, audit in AUDITS.items():
        runs = audit["settings"]["audit_test_runs"]
        if runs > power["runs"]:
            reached = reachable_tpr(runs=runs, units=power["units"], deff=power["deff"])
            if reached <= min(policy.largest_power, policy.largest_leak):
                return _distill_again(name)
    return (
        "More runs are unlikely to be enough with so few units; distill from more images, or have "
        "an admin change the policy."
    )


def _distill_again(audit: str) -> str:
    return (
        f'Distill again with "audit": "{audit}" or more runs; or have an admin change the policy, '
        "or a second person approve an override."
    )


def _under_policy(
    report: Mapping[str, Any], privacy: Mapping[str, Any], policy: Policy
) -> Iterator[Objection]:
    if policy.proven_only and privacy.get("verdict") != Verdict.PROVEN:
        yield Objection(
            "proven-only",
            "Your organisation releases only what is proven under differential privacy, and this "
            "set is not.",
            waivable=True,
        )
    if report.get("initialisation") in SINGLE_PATIENT_STARTS and not policy.real_starts:
        yield Objection(
            "real-starts",
            "Its images started from single patients' images or their means, which tell who is in "
            "the set; your organisation does not release such sets. Distill again from `public`, "
            "`dp_mean` or `noise`, or have an admin change the policy.",
            waivable=True,
        )
    powerless = _without_power(_rows(privacy, "metrics"))
    if len(powerless) > policy.metrics_without_power:
        yield Objection(
            "metrics-without-power",
            f"{len(powerless)} metrics of the audit had no power to find anything; your "
            f"organisation allows {policy.metrics_without_power}.",
            waivable=True,
        )
    classes = (report.get("dataset") or {}).get("classes") or {}
    # A proven set does not tell how many images it came from, and its proof needs no number.
    small = [
        name
        for name, counts in classes.items()
        if privacy.get("verdict") != Verdict.PROVEN
        and counts.get("train", 0) < policy.fewest_images_per_class
    ]
    if small:
        yield Objection(
            "small-class",
            f"A class was distilled from fewer than {policy.fewest_images_per_class} images, the "
            f"least that your organisation releases from: {', '.join(small)}.",
            waivable=True,
        )


def _rows(privacy: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = privacy.get(name) or ()
    return rows


def _without_power(metrics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [metric for metric in metrics if metric.get("outcome") == "no_power"]


def _is_number(value: Any, least: float, most: float) -> bool:
    """True for a number in this range; neither a word nor NaN nor True is one."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
