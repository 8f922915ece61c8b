"""Draws the verdict of an audit, and says in words what it rests on."""

from collections.abc import Sequence

from iadd.privacy.report import Attack, Metric, Power, Proof, Unit, Verdict

IMAGES_ALONE = (
    "Single images are protected, not patients: which images show one person is not known."
)

LEAST_SHARE = 0.5
"""Share of the metrics that need power before a set can be called not refuted."""


def verdict_of(
    metrics: Sequence[Metric],
    attacks: Sequence[Attack],
    power: Power | None,
    proof: Proof | None,
    *,
    leak_limit: float,
) -> Verdict:
    """Apply the rule of the verdict.

    ``refuted`` when any metric or attack refuses, also under a proof. ``proven`` when the proof
    holds: its audited lower bound of ε does not exceed its ε. ``not_refuted`` when there is power,
    not of reduced settings and no larger than the limit, every attack's upper bound is at or below
    the limit, and at least half of the metrics have power. Else ``inconclusive``: distances alone
    clear nothing (Yao et al., The DCR Delusion, arXiv 2505.01524).

    Args:
        metrics: All metrics.
        attacks: All membership attacks, by stratum.
        power: Their power, or None.
        proof: Differential privacy, or None.
        leak_limit: Largest share of members found at 1% false alarms that is accepted.
    """
    if any(metric.outcome == "refused" for metric in metrics):
        return "refuted"
    if any(attack.outcome == "refuted" for attack in attacks):
        return "refuted"
    if proof is not None:
        return "proven" if proof.holds else "refuted"
    powerless = sum(metric.outcome == "no_power" for metric in metrics)
    if len(metrics) - powerless < LEAST_SHARE * len(metrics):
        return "inconclusive"
    if power is None or power.reduced or not attacks:
        return "inconclusive"
    bounded = all(attack.tpr_interval[1] <= leak_limit for attack in attacks)
    return "not_refuted" if bounded else "inconclusive"


def state(
    verdict: Verdict,
    metrics: Sequence[Metric],
    attacks: Sequence[Attack],
    power: Power | None,
    proof: Proof | None,
    *,
    leak_limit: float,
    unit: Unit,
    explanations: Sequence[str] = (),
) -> str:
    """Say the verdict in words: what was attacked, how, and with what power.

    Args:
        verdict: The verdict.
        metrics: All metrics.
        attacks: All membership attacks.
        power: Their power, or None.
        proof: Differential privacy, or None.
        leak_limit: The limit that the verdict was reached with.
        unit: What is protected.
        explanations: How the attacks were run, in words.
    """
    sentences = [
        {
            "refuted": _refuted(metrics, attacks, proof),
            "proven": _proven(proof),
            "not_refuted": (
                "Not refuted: every attack finds, with 95% confidence, at most "
                f"{leak_limit:.1%} of the {unit}s trained on at 1% false alarms."
            ),
            "inconclusive": f"Inconclusive: {_open(metrics, attacks, power, leak_limit)}",
        }[verdict],
        *explanations,
        _tested(metrics, attacks),
        _power(power),
    ]
    if unit == "image":
        sentences.append(IMAGES_ALONE)
    return " ".join(sentence for sentence in sentences if sentence)


def _refuted(metrics: Sequence[Metric], attacks: Sequence[Attack], proof: Proof | None) -> str:
    found = [metric.title.lower() for metric in metrics if metric.outcome == "refused"]
    found += [
        f"{attack.title.lower()} ({attack.stratum})"
        for attack in attacks
        if attack.outcome == "refuted"
    ]
    if not found and proof is not None:
        found = ["the audited ε is above the claimed one"]
    return (
        "Refuted: these images reveal training images, or look as if they did "
        f"({'; '.join(found)}). They must not leave the organisation."
    )


def _proven(proof: Proof | None) -> str:
    if proof is None:
        return ""
    return f"{proof.statement} What is measured below comes in addition."


def _open(
    metrics: Sequence[Metric], attacks: Sequence[Attack], power: Power | None, limit: float
) -> str:
    if not attacks or power is None:
        return (
            "no membership attack with power was run, and distances alone can never clear a "
            "release."
        )
    if power.reduced:
        return "the attacks were run on smaller settings than those of this set."
    if any(attack.tpr_interval[1] > limit for attack in attacks):
        worst = max(attack.tpr_interval[1] for attack in attacks)
        return (
            f"no leak was found, but one of up to {worst:.1%} of the members at 1% false alarms is "
            f"not excluded, and the limit is {limit:.1%}. More runs of the audit can decide."
        )
    powerless = sum(metric.outcome == "no_power" for metric in metrics)
    return f"{powerless} of {len(metrics)} metrics had no power."


def _tested(metrics: Sequence[Metric], attacks: Sequence[Attack]) -> str:
    powerless = sum(metric.outcome == "no_power" for metric in metrics)
    weak = f"; {powerless} of them had no power" if powerless else ""
    against = (
        f"{len({attack.name for attack in attacks})} membership attacks on "
        f"{len({attack.stratum for attack in attacks})} groups of images were run; "
        if attacks
        else ""
    )
    return (
        f"{against}{len(metrics)} metrics looked for copies, registered onto all training images, "
        f"and for images averaged into a start{weak}. Other attacks may find more."
    )


def _power(power: Power | None) -> str:
    if power is None:
        return "The power of the attacks is none."
    return (
        f"Power: a leak that lets {power.tpr:.1%} of the {power.unit}s be found at "
        f"{power.fpr:.0%} false alarms would have been noticed with probability {power.chance:.0%} "
        f"({power.runs} run{'s' if power.runs != 1 else ''} of {power.units} {power.unit}s)."
    )
