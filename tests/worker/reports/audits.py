"""Made-up audits with realistic figures, one for each verdict."""

from collections.abc import Mapping

from iadd.privacy.report import (
    Attack,
    AttackOutcome,
    Control,
    Dose,
    Metric,
    Outcome,
    Power,
    PrivacyReport,
    Proof,
    Unit,
)

DISGUISES = {
    "noised": "noise of 0.1 deviations",
    "shifted": "shifted by 8 pixels",
    "turned": "turned by 10°",
    "zoomed": "zoomed by 1.2",
    "mirrored": "mirrored",
    "inverted": "inverted",
    "contrast": "contrast 0.3",
    "blended": "blended half and half with another image",
}


def _metric(
    name: str,
    title: str,
    value: float | None,
    outcome: Outcome,
    explanation: str,
    interval: tuple[float, float] | None,
) -> Metric:
    return Metric(
        name=name,
        title=title,
        value=value,
        interval=interval,
        rule="Refuses at the first distilled image that stands out from the held-out ones.",
        outcome=outcome,
        explanation=explanation,
    )


def _metrics(copies: int) -> tuple[Metric, ...]:
    refused: Outcome = "refused" if copies else "passed"
    interval = (0.004, 0.089) if copies else (0.0, 0.06)
    found = f"{copies} of 60 distilled images are near-copies of a training image."
    return (
        _metric(
            "start_retention_pixels",
            "Retention of the start, pixels",
            None,
            "no_power",
            "The images did not start from single training images.",
            None,
        ),
        _metric(
            "closest_record_ssim",
            "Distance to the closest record, SSIM",
            0.52,
            "passed",
            "31 of 60 distilled images are nearer to a training image than to a held-out one; "
            "chance alone gives half.",
            (0.384, 0.65),
        ),
        _metric(
            "exact_copies",
            "Exact copies",
            0.0,
            "passed",
            "0 of 60 distilled images equal a training image.",
            (0.0, 0.06),
        ),
        _metric("near_copies_ssim", "Near-copies, SSIM", copies / 60, refused, found, interval),
        _metric(
            "registered_copies",
            "Registered copies, phase correlation",
            0.0,
            "passed",
            "0 of 60 distilled images match a training image after registration.",
            (0.0, 0.06),
        ),
    )


def _controls(missed: tuple[str, ...] = ("blended",)) -> tuple[Control, ...]:
    names = [metric.name for metric in _metrics(0)[2:]]
    doses = tuple(
        Dose(
            disguise=name,
            title=title,
            images=30,
            refused={
                metric: name not in missed and (place > 0 or name == "noised")
                for place, metric in enumerate(names)
            },
        )
        for name, title in DISGUISES.items()
    )
    return (
        Control(
            name="positive",
            title="Positive control",
            description="Training images with noise of 0.05 deviations: everything leaks.",
            images=60,
            refused=dict.fromkeys(names, True),
            doses=doses,
        ),
        Control(
            name="negative",
            title="Negative control",
            description="Held-out images of the same classes: nothing of the training leaks.",
            images=60,
            refused=dict.fromkeys(names, False),
        ),
    )


_TITLES = {
    "matched_filter": "Matched filter",
    "lira": "Likelihood ratio (LiRA)",
    "rmia": "Relative membership (RMIA)",
    "loss": "Loss threshold",
    "nearest": "Nearest distilled image",
}


def _attacks(
    rates: Mapping[str, tuple[float, float, float, AttackOutcome]], units: int
) -> tuple[Attack, ...]:
    rows = []
    for stratum, factor in (("all", 1.0), ("outliers", 1.15)):
        for name, (low, tpr, high, outcome) in rates.items():
            auc = 0.5 + 1.5 * (tpr - 0.01)
            rows.append(
                Attack(
                    name=name,
                    title=_TITLES[name],
                    stratum=stratum,
                    auc=min(auc, 0.99),
                    auc_interval=(max(auc - 0.02, 0.0), min(auc + 0.02, 1.0)),
                    tpr=tpr * factor,
                    tpr_interval=(low, high),
                    fpr=0.011,
                    p=0.0003 if outcome == "refuted" else 0.41,
                    units=units if stratum == "all" else units // 10,
                    outcome=outcome,
                )
            )
    return tuple(rows)


_COUNTS = {
    "distilled": 60,
    "training": 10868,
    "held_out": 3019,
    "reference": 2981,
    "duplicates": 38,
}
_EMBEDDING = "a ConvNet as initialised from a fixed seed"
_CALM: tuple[float, float, float, AttackOutcome] = (0.007, 0.012, 0.021, "not_refuted")
_WIDE: tuple[float, float, float, AttackOutcome] = (0.004, 0.021, 0.09, "inconclusive")


def _power(
    tpr: float, runs: int, units: int, *, tier: int, unit: Unit = "patient", deff: float = 1.0
) -> Power:
    return Power(
        tpr=tpr,
        fpr=0.01,
        chance=0.8,
        unit=unit,
        runs=runs,
        units=units,
        deff=deff,
        reduced=False,
        tier=tier,
    )


AUDITS = {
    "refuted": PrivacyReport(
        verdict="refuted",
        statement=(
            "Refuted: the matched filter recognises contributors of the starts, and near-copies "
            "of training images were found. These images must not leave the organisation."
        ),
        metrics=_metrics(1),
        controls=_controls(),
        counts=_COUNTS,
        embedding=_EMBEDDING,
        attacks=_attacks(
            {
                "matched_filter": (0.29, 0.36, 0.43, "refuted"),
                "lira": _WIDE,
                "rmia": (0.011, 0.031, 0.07, "inconclusive"),
                "nearest": _WIDE,
            },
            1000,
        ),
        power=_power(0.049, 1, 1000, tier=0, unit="image"),
        unit="image",
        attempts=1,
    ),
    "inconclusive": PrivacyReport(
        verdict="inconclusive",
        statement=(
            "Inconclusive: no attack found a leak, but the upper bound of at least one lies above "
            "5 %."
        ),
        metrics=_metrics(0),
        controls=_controls(("blended", "contrast", "zoomed")),
        counts=_COUNTS,
        embedding=_EMBEDDING,
        attacks=_attacks({"matched_filter": _WIDE, "lira": _WIDE, "nearest": _WIDE}, 500),
        power=_power(0.075, 1, 500, tier=0, unit="image"),
        unit="image",
        attempts=3,
    ),
    "not_refuted": PrivacyReport(
        verdict="not_refuted",
        statement="Not refuted: the upper bound of every attack is at or below 5 %.",
        metrics=_metrics(0),
        controls=_controls(()),
        counts=_COUNTS,
        embedding=_EMBEDDING,
        attacks=_attacks(dict.fromkeys(_TITLES, _CALM), 16000),
        power=_power(0.026, 16, 1000, tier=2, deff=2.3),
        unit="patient",
        attempts=2,
    ),
    "proven": PrivacyReport(
        verdict="proven",
        statement="Proven: differential privacy bounds what the set tells of a patient.",
        metrics=_metrics(0),
        controls=_controls(),
        counts=_COUNTS,
        embedding=_EMBEDDING,
        attacks=_attacks({"matched_filter": _CALM, "lira": _CALM}, 1000),
        power=_power(0.049, 1, 1000, tier=0),
        proof=Proof(
            epsilon=2.98,
            delta=1e-5,
            unit="patient",
            accountant="Opacus PRV 1.6, eps_error 1e-3",
            audited_epsilon=0.41,
            canaries=100,
            guesses=50,
            right=36,
            events=(
                "one teacher: 220 steps of DP-SGD, rate 0.094, noise 2.12",
                "class counts: declared public",
            ),
        ),
        unit="patient",
        attempts=1,
    ),
}
