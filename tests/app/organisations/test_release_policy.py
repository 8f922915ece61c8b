"""What the gate lets through, by the report's privacy section and the organisation's policy."""

import pytest

from app.organisations.release_policy import Policy, decide


def report(**changes):
    metrics = [
        {"title": "Retention", "outcome": "passed"},
        {"title": "Near-copies", "outcome": "no_power"},
    ]
    privacy = {"verdict": "not_refuted", "metrics": metrics} | changes.pop("privacy", {})
    return {
        "initialisation": "k_mean",
        "dataset": {"classes": {"COVID": {"train": 40}, "Normal": {"train": 90}}},
        "privacy": privacy,
        **changes,
    }


def test_a_set_that_the_audit_cleared_may_leave():
    decision = decide(report(privacy={"power": 0.2}), Policy())
    assert decision.allowed
    assert decision.reasons == ()
    assert decision.to_dict()["policy"]["proven_only"] is False


def test_distances_alone_clear_nothing_until_the_organisation_decides():
    decision = decide(report(), Policy())
    assert not decision.allowed
    assert "distances alone clear nothing" in " ".join(decision.reasons)
    assert decide(report(), Policy(unknown_power=True)).allowed


@pytest.mark.parametrize(
    ("privacy", "words"),
    [
        ({"verdict": "refuted"}, "stays in the organisation"),
        ({"verdict": None}, "what was not audited is not released"),
        ({"verdict": "anything"}, "what was not audited is not released"),
        ({"metrics": [{"title": "Exact copies", "outcome": "refused"}]}, "Exact copies"),
    ],
)
def test_no_policy_releases_what_the_audit_refuses(privacy, words):
    open_policy = Policy(real_starts=True, metrics_without_power=100, unknown_power=True)
    decision = decide(report(privacy=privacy), open_policy)
    assert not decision.allowed
    assert words in " ".join(decision.reasons)


def test_a_report_without_a_privacy_section_is_refused():
    assert not decide({}, Policy()).allowed


@pytest.mark.parametrize(
    ("policy", "changes", "words"),
    [
        ({"proven_only": True}, {}, "differential privacy"),
        ({}, {"initialisation": "real"}, "single patients"),
        ({"metrics_without_power": 0}, {}, "no power"),
        ({"fewest_images_per_class": 50}, {}, "COVID"),
    ],
)
def test_a_policy_may_demand_more(policy, changes, words):
    decision = decide(report(privacy={"power": 0.2}, **changes), Policy(**policy))
    assert not decision.allowed
    assert words in " ".join(decision.reasons)


def test_real_starts_leave_where_the_policy_allows_them_and_the_audit_cleared_them():
    cleared = report(initialisation="real", privacy={"power": 0.2})
    assert decide(cleared, Policy(real_starts=True)).allowed
