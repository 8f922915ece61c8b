"""Release policy: decides by the report's privacy section whether a set may be released.

No policy releases a set that the audit refused. A set that only distances did not refute is
released only if the organisation has decided so; a deeper audit writes the `power` of its attacks
into the privacy section, and then this decision is not needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import Field

from app.core.schemas import RequestModel
from app.core.types import JsonObject
from app.models.distillation import Verdict
from app.models.organisation import Organisation

CLEARED = (Verdict.NOT_REFUTED, Verdict.PROVEN)


class Policy(RequestModel):
    """An organisation's policy for its own releases."""

    proven_only: bool = Field(
        default=False, description="Release nothing but sets made under differential privacy."
    )
    real_starts: bool = Field(
        default=False,
        description="Allow sets whose images started from single patients' images, where the "
        "audit cleared them.",
    )
    unknown_power: bool = Field(
        default=False,
        description="Release sets that distances alone did not refute, although distances can "
        "clear nothing: the organisation's own decision, as long as no membership attack of known "
        "power was run.",
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


@dataclass(frozen=True)
class Decision:
    """Decision of the release policy.

    Attributes:
        allowed: True if it may be released.
        objections: Reasons against the release.
        policy: The policy that was applied, kept with the release.
    """

    allowed: bool
    objections: tuple[Objection, ...]
    policy: Policy

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reasons against the release; one sentence each."""
        return tuple(objection.reason for objection in self.objections)

    def to_dict(self) -> JsonObject:
        return {
            "allowed": self.allowed,
            "reasons": list(self.reasons),
            "policy": self.policy.model_dump(mode="json"),
        }


def policy_of(organisation: Organisation) -> Policy:
    return Policy.model_validate(organisation.policy)


def decide(report: Mapping[str, Any], policy: Policy) -> Decision:
    """Judge a finished distillation by its ``report.json``."""
    privacy = report.get("privacy") or {}
    objections = [
        *_verdict(privacy),
        *_under_policy(report, privacy, policy),
    ]
    return Decision(not objections, tuple(objections), policy)


def _verdict(privacy: Mapping[str, Any]) -> list[Objection]:
    verdict = privacy.get("verdict")
    if verdict in CLEARED:
        refused = [
            metric["title"]
            for metric in privacy.get("metrics", [])
            if metric["outcome"] == "refused"
        ]
        reason = f"The audit refused it: {', '.join(refused)}."
        return [Objection("refused", reason)] if refused else []
    if verdict == Verdict.REFUTED:
        return [
            Objection(
                "refuted",
                "The audit refuted it: an attack worked, or a copy of a training image was found. "
                "It stays in the organisation.",
            )
        ]
    return [Objection("no-verdict", "It has no verdict: what was not audited is not released.")]


def _under_policy(
    report: Mapping[str, Any], privacy: Mapping[str, Any], policy: Policy
) -> list[Objection]:
    found = {}
    if policy.proven_only and privacy.get("verdict") != Verdict.PROVEN:
        found["proven-only"] = (
            "Your organisation releases only what is proven under differential privacy, and this "
            "set is not."
        )
    not_refuted = privacy.get("verdict") == Verdict.NOT_REFUTED
    if not_refuted and not privacy.get("power") and not policy.unknown_power:
        found["unknown-power"] = (
            "Distances did not refute it, and distances alone clear nothing: no membership attack "
            "of known power was run. An admin may decide that your organisation releases such sets "
            'all the same: PATCH /api/v1/organisations/mine with {"policy": {"unknown_power": '
            "true}}."
        )
    if report.get("initialisation") == "real" and not policy.real_starts:
        found["real-starts"] = (
            "Its images started from single patients' images, which your organisation does not "
            "release. Distill again from `k_mean`, or have an admin change the policy."
        )
    powerless = [m for m in privacy.get("metrics", []) if m["outcome"] == "no_power"]
    if len(powerless) > policy.metrics_without_power:
        found["metrics-without-power"] = (
            f"{len(powerless)} metrics of the audit had no power to find anything; your "
            f"organisation allows {policy.metrics_without_power}."
        )
    classes = (report.get("dataset") or {}).get("classes") or {}
    small = [
        name
        for name, counts in classes.items()
        if counts.get("train", 0) < policy.fewest_images_per_class
    ]
    if small:
        found["small-class"] = (
            f"A class was distilled from fewer than {policy.fewest_images_per_class} images, the "
            f"least that your organisation releases from: {', '.join(small)}."
        )
    return [Objection(code, reason) for code, reason in found.items()]
