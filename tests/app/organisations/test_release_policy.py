"""What the gate lets through, by the report's privacy section and the organisation's policy."""

import copy

import pytest

from app.models.organisation import Organisation
from app.organisations.release_policy import Policy, decide, policy_of
from tests.fixtures.reports import ATTACK, POWER, PROOF, cleared


def report(privacy=None, **changes):
    made = copy.deepcopy(cleared()) | changes
    made["privacy"] |= privacy or {}
    return made


def codes(decision):
    return [objection.code for objection in decision.objections]


def test_a_set_whose_attacks_found_nothing_may_leave():
    decision = decide(report(), Policy())
    assert decision.allowed
    assert decision.reasons == ()
    assert decision.to_dict()["policy"]["largest_leak"] == 0.05


@pytest.mark.parametrize(
    "power",
    [
        None,
        True,
        {},
        [],
        0.2,
        "none measured",
        POWER | {"tpr": "0.04"},
        POWER | {"tpr": True},
        POWER | {"tpr": float("nan")},
        POWER | {"tpr": 1.5},
        POWER | {"tpr": 0.001},
        POWER | {"fpr": 0.1},
        POWER | {"fpr": 0},
        POWER | {"chance": 0.5},
        POWER | {"unit": "cohort"},
        POWER | {"runs": 0},
        POWER | {"runs": True},
        POWER | {"units": 0.5},
        POWER | {"deff": 0},
        POWER | {"reduced": True},
        {name: value for name, value in POWER.items() if name != "reduced"},
        {name: value for name, value in POWER.items() if name != "tpr"},
    ],
)
def test_distances_alone_release_nothing_under_any_policy(power):
    widest = Policy(largest_leak=1, largest_power=1, real_starts=True)
    decision = decide(report({"power": power}), widest, waived=["no-power"])
    assert codes(decision) == ["no-power"]
    assert "distances alone" in decision.reasons[0]


@pytest.mark.parametrize(
    "attacks",
    [
        [],
        [ATTACK | {"tpr_interval": None}],
        [ATTACK | {"tpr_interval": [0.0, float("nan")]}],
        [ATTACK | {"tpr_interval": [True, True]}],
        [ATTACK | {"p": "small"}],
    ],
)
def test_power_without_attacks_that_used_it_releases_nothing(attacks):
    assert codes(decide(report({"attacks": attacks}), Policy(largest_leak=1))) == ["no-power"]


def test_weak_attacks_are_refused_with_an_audit_that_would_do():
    decision = decide(report({"power": POWER | {"tpr": 0.2, "runs": 4, "units": 200}}), Policy())
    assert codes(decision) == ["weak-power"]
    assert '"audit": "audit_standard"' in decision.reasons[0]
    assert "find leaks of 20 %" in decision.reasons[0]
    too_few = decide(report({"power": POWER | {"tpr": 0.9, "runs": 4, "units": 1}}), Policy())
    assert "more images" in too_few.reasons[0]
    assert decide(
        report({"power": POWER | {"tpr": 0.2}}), Policy(largest_power=0.2, largest_leak=0.05)
    ).allowed


def test_the_verdicts_rule_is_applied_again_at_the_policys_own_limit():
    loose = report({"attacks": [ATTACK | {"tpr_interval": [0.0, 0.08]}], "verdict": "inconclusive"})
    refused = decide(loose, Policy())
    assert codes(refused) == ["inconclusive"]
    assert "Likelihood ratio (8 %)" in refused.reasons[0]
    assert decide(loose, Policy(largest_leak=0.1)).allowed
    assert codes(decide(report(), Policy(largest_leak=0.02))) == ["inconclusive"]


def test_nine_of_ten_metrics_without_power_are_inconclusive_under_every_policy():
    metrics = [{"title": f"Metric {i}", "outcome": "no_power"} for i in range(9)]
    metrics.append({"title": "Near-copies", "outcome": "passed"})
    decision = decide(
        report({"metrics": metrics}), Policy(largest_leak=1), waived=["mostly-without-power"]
    )
    assert codes(decision) == ["mostly-without-power"]


@pytest.mark.parametrize(
    ("privacy", "code", "words"),
    [
        ({"verdict": "refuted"}, "refuted", "stays in the organisation"),
        ({"verdict": None}, "no-verdict", "what was not audited is not released"),
        ({"verdict": "anything"}, "no-verdict", "what was not audited is not released"),
        ({"metrics": [{"title": "Copies", "outcome": "refused"}]}, "refused", "Copies"),
        ({"attacks": [ATTACK | {"outcome": "refuted"}]}, "refuted", "an attack worked"),
        (
            {"attacks": [ATTACK | {"tpr_interval": [0.05, 0.3], "p": 1e-6}]},
            "refuted",
            "an attack worked",
        ),
    ],
)
def test_neither_a_policy_nor_people_release_what_the_audit_refuses(privacy, code, words):
    widest = Policy(real_starts=True, largest_leak=1, largest_power=1, largest_epsilon=100)
    decision = decide(report(privacy), widest, waived=[code, "inconclusive", "no-power"])
    assert code in codes(decision)
    assert not decision.can_be_waived
    assert words in " ".join(decision.reasons)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"randomness": "published"}, "published-seed"),
        ({"randomness": None}, "published-seed"),
        ({"image_format": "float"}, "float-images"),
        ({"image_format": None}, "float-images"),
    ],
)
def test_sets_that_tell_more_than_their_audit_saw_stay(changes, code):
    decision = decide(report(**changes), Policy(), waived=[code])
    assert codes(decision) == [code]
    assert "Distill again" in decision.reasons[0]


def test_an_old_report_is_refused_as_what_it_is():
    old = report()
    del old["randomness"], old["image_format"]
    old["privacy"] = {"verdict": "not_refuted", "metrics": [], "controls": [], "power": None}
    assert codes(decide(old, Policy())) == ["published-seed", "float-images", "no-power"]


def test_a_report_without_a_privacy_section_is_refused():
    assert not decide({}, Policy()).allowed


@pytest.mark.parametrize(
    ("proof", "codes_"),
    [
        (PROOF, []),
        (PROOF | {"epsilon": 20.0}, ["large-epsilon"]),
        (PROOF | {"audited_epsilon": 4.0}, ["refuted"]),
        (PROOF | {"epsilon": float("nan")}, ["no-verdict"]),
        (PROOF | {"delta": None}, ["no-verdict"]),
        (None, ["no-verdict"]),
    ],
)
def test_a_proof_needs_no_power_and_has_to_hold(proof, codes_):
    proven = report({"verdict": "proven", "power": None, "attacks": [], "proof": proof})
    assert codes(decide(proven, Policy(proven_only=True))) == codes_


@pytest.mark.parametrize(
    ("policy", "changes", "code", "words"),
    [
        ({"proven_only": True}, {}, "proven-only", "differential privacy"),
        ({}, {"initialisation": "real"}, "real-starts", "single patients"),
        ({}, {"initialisation": "k_mean"}, "real-starts", "who is in the set"),
        ({"metrics_without_power": 0}, {}, "metrics-without-power", "no power"),
        ({"fewest_images_per_class": 50}, {}, "small-class", "COVID"),
    ],
)
def test_a_policy_may_demand_more_and_two_people_may_waive_it(policy, changes, code, words):
    decision = decide(report(**changes), Policy(**policy))
    assert codes(decision) == [code]
    assert words in " ".join(decision.reasons)
    assert decision.can_be_waived
    waived = decide(report(**changes), Policy(**policy), waived=[code])
    assert waived.allowed
    assert waived.to_dict()["waived"] == [code]


@pytest.mark.parametrize("start", ["real", "k_mean"])
def test_single_patient_starts_leave_where_the_policy_allows_them_and_the_audit_cleared_them(start):
    assert decide(report(initialisation=start), Policy(real_starts=True)).allowed


def test_a_policy_of_an_earlier_version_still_loads_and_loosens_nothing():
    organisation = Organisation(
        name="St. Anna", policy={"unknown_power": True, "real_starts": True}
    )
    policy = policy_of(organisation)
    assert policy == Policy(real_starts=True)
    assert not decide(report({"power": None}), policy).allowed
