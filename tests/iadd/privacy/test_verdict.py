"""The rule of the verdict, case by case."""

from dataclasses import replace

import pytest

from iadd.privacy.report import Attack, Metric, Power, Proof
from iadd.privacy.verdict import state, verdict_of

METRIC = Metric(
    name="m", title="Copies", value=0.0, interval=None, rule="", outcome="passed", explanation=""
)
BLIND = replace(METRIC, outcome="no_power")
ATTACK = Attack(
    name="lira",
    title="LiRA",
    stratum="all",
    auc=0.5,
    auc_interval=(0.48, 0.52),
    tpr=0.01,
    tpr_interval=(0.005, 0.03),
    fpr=0.01,
    p=0.5,
    units=1000,
    outcome="not_refuted",
)
WIDE = replace(ATTACK, tpr_interval=(0.005, 0.2), outcome="inconclusive")
POWER = Power(
    tpr=0.03,
    fpr=0.01,
    chance=0.8,
    unit="image",
    runs=16,
    units=1000,
    deff=1.0,
    reduced=False,
    tier=2,
)
PROOF = Proof(epsilon=3.0, delta=1e-5, unit="image", accountant="", audited_epsilon=None, events=())


@pytest.mark.parametrize(
    ("metrics", "attacks", "power", "proof", "expected"),
    [
        ([METRIC], [], None, None, "inconclusive"),  # distances alone
        ([METRIC], [ATTACK], POWER, None, "not_refuted"),
        ([METRIC], [ATTACK], None, None, "inconclusive"),
        ([METRIC], [], POWER, None, "inconclusive"),
        ([METRIC], [ATTACK], replace(POWER, reduced=True), None, "inconclusive"),
        ([METRIC], [ATTACK, WIDE], POWER, None, "inconclusive"),
        ([METRIC] + [BLIND] * 9, [ATTACK], POWER, None, "inconclusive"),
        ([METRIC] * 5 + [BLIND] * 5, [ATTACK], POWER, None, "not_refuted"),
        ([METRIC, replace(METRIC, outcome="refused")], [ATTACK], POWER, None, "refuted"),
        ([METRIC], [replace(ATTACK, outcome="refuted")], POWER, None, "refuted"),
        ([METRIC], [], None, PROOF, "proven"),
        ([METRIC], [], None, replace(PROOF, audited_epsilon=2.0), "proven"),
        ([METRIC], [], None, replace(PROOF, audited_epsilon=3.5), "refuted"),
        ([replace(METRIC, outcome="refused")], [], None, PROOF, "refuted"),
        ([replace(METRIC, outcome="warned")], [ATTACK], POWER, None, "not_refuted"),
    ],
)
def test_the_rule(
    metrics: list[Metric],
    attacks: list[Attack],
    power: Power | None,
    proof: Proof | None,
    expected: str,
) -> None:
    assert verdict_of(metrics, attacks, power, proof, leak_limit=0.05) == expected


def test_a_lower_limit_closes_the_verdict() -> None:
    assert verdict_of([METRIC], [ATTACK], POWER, None, leak_limit=0.02) == "inconclusive"


def test_the_statement_says_what_was_attacked_and_with_what_power() -> None:
    text = state(
        "not_refuted",
        [METRIC],
        [ATTACK],
        POWER,
        None,
        leak_limit=0.05,
        unit="image",
        explanations=["Sixteen runs were attacked."],
    )
    assert "at most 5.0% of the images trained on at 1% false alarms" in text
    assert "Sixteen runs were attacked." in text
    assert "1 membership attacks on 1 groups" in text
    assert "Power: a leak that lets 3.0% of the images be found" in text
    assert "Single images are protected, not patients" in text


def test_the_statement_names_what_refuses() -> None:
    refused = replace(METRIC, outcome="refused")
    text = state("refuted", [refused], [], None, None, leak_limit=0.05, unit="patient")
    assert text.startswith("Refuted:")
    assert "copies" in text
    assert "must not leave the organisation" in text
    assert "not patients" not in text


def test_without_attacks_the_statement_clears_nothing() -> None:
    text = state("inconclusive", [METRIC], [], None, None, leak_limit=0.05, unit="image")
    assert "distances alone can never clear a release" in text
    assert "The power of the attacks is none." in text


def test_a_proof_is_said_with_its_numbers() -> None:
    text = state("proven", [METRIC], [], None, PROOF, leak_limit=0.05, unit="image")
    assert "ε = 3, δ = 1e-05 for each image" in text
