"""Asking for a distillation: what is accepted, and how everything else is refused."""

import json
import math

import pytest

from app.distillations.presets import presets_document
from app.models import DistillationStatus
from iadd.presets import AUDITS


@pytest.fixture
def ask(portal):
    """POST a distillation of one ready dataset whose smallest class has 40 training images."""
    dataset_id = portal.ready_dataset()

    def post(body, **arguments):
        return portal.steward.post(f"/datasets/{dataset_id}/distillations", json=body, **arguments)

    return post


def test_it_is_queued_with_one_message(portal, broker):
    dataset_id = portal.ready_dataset()
    broker.lose_messages()

    reply = portal.researcher.post(
        f"/datasets/{dataset_id}/distillations",
        json={
            "preset": "cpu_small",
            "images_per_class": 3,
            "initialisation": "noise",
            "seed": 7,
            "overrides": {"iterations": 5, "augmentation": ["crop", "scale"]},
        },
    )

    body = reply.json()
    assert reply.status_code == 202
    assert reply.headers["location"] == f"/api/v1/distillations/{body['id']}"
    assert broker.messages() == [("cpu", "start_distillation", body["id"])]
    assert body["status"] == "queued"
    assert (body["images_per_class"], body["initialisation"], body["seed"]) == (3, "noise", 7)
    assert body["overrides"] == {"iterations": 5, "augmentation": ["crop", "scale"]}
    assert portal.steward.get(reply.headers["location"]).json() == body


def test_what_is_absent_is_the_presets(ask):
    body = ask({"preset": "cpu_demo"}).json()

    preset = presets_document()["cpu_demo"]["defaults"]
    assert body["images_per_class"] == preset["images_per_class"]
    assert (body["initialisation"], body["seed"], body["audit"]) == ("public", 0, None)


def test_the_paper_starts_from_real_images(ask):
    body = ask({"preset": "paper_covid_cxr"}).json()

    assert body["initialisation"] == "real"


@pytest.mark.parametrize(
    ("change", "where", "said"),
    [
        ({"images_per_class": 0}, "images_per_class", "from 1 to 1,000"),
        ({"images_per_class": -3}, "images_per_class", "from 1 to 1,000"),
        ({"images_per_class": 10**30}, "images_per_class", "from 1 to 1,000"),
        ({"seed": -1}, "seed", "a whole number"),
        ({"seed": 2**80}, "seed", "a whole number"),
        ({"initialisation": "real"}, "initialisation", "who is in the set"),
        ({"initialisation": "x" * 90}, "initialisation", "who is in the set"),
        ({"overrides": {"iteration": 5}}, "overrides.iteration", "There is no setting iteration"),
        ({"overrides": {"\x1b[31m": 5}}, "overrides.'\\x1b[31m'", "There is no setting"),
        ({"overrides": {"iterations": 0}}, "overrides.iterations", "from 1 to 1,000,000"),
        ({"overrides": {"iterations": 1.5}}, "overrides.iterations", "a whole number"),
        ({"overrides": {"iterations": True}}, "overrides.iterations", "a whole number"),
        ({"overrides": {"iterations": "5"}}, "overrides.iterations", "a whole number"),
        ({"overrides": {"iterations": None}}, "overrides.iterations", "a whole number"),
        ({"overrides": {"lr_img": -1}}, "overrides.lr_img", "from 0"),
        ({"overrides": {"lr_img": {"a": 1}}}, "overrides.lr_img", "a number"),
        ({"overrides": {"network": "resnet"}}, "overrides.network", "may be convnet"),
        ({"overrides": {"augmentation": "crop"}}, "overrides.augmentation", "a list"),
        ({"overrides": {"baseline_lrs": ["a"]}}, "overrides.baseline_lrs", "has to be a number"),
        ({"overrides": {"baseline_lrs": []}}, "overrides.baseline_lrs", "at least one"),
        ({"overrides": {"seed": 3}}, "overrides.seed", "a field of its own"),
        ({"overrides": {"image_size": 64}}, "overrides.image_size", "when the dataset was read"),
        ({"overrides": {"max_start_epoch": 900}}, "overrides.max_start_epoch", "lower one of them"),
        ({"overrides": {"depth": 7}}, "overrides.depth", "at most 6"),
    ],
)
def test_a_setting_that_cannot_be(portal, ask, change, where, said):
    reply = ask({"preset": "cpu_demo"} | change)

    problem = reply.json()
    assert reply.status_code == 422
    assert problem["type"] == "urn:iadd-exchange:problem:invalid-settings"
    assert [error["where"] for error in problem["errors"]] == [where]
    assert said in problem["errors"][0]["message"]
    assert problem["errors"][0]["message"] in problem["detail"]
    assert "No distillation was started" in problem["detail"]
    assert portal.steward.get("/distillations").json()["items"] == []


def test_every_wrong_setting_is_named_at_once(ask):
    problem = ask(
        {"preset": "cpu_demo", "images_per_class": 0, "overrides": {"lr_img": -1, "nope": 1}}
    ).json()

    assert sorted(error["where"] for error in problem["errors"]) == [
        "images_per_class",
        "overrides.lr_img",
        "overrides.nope",
    ]
    by_place = {error["where"]: error["allowed"] for error in problem["errors"]}
    assert by_place["images_per_class"] == [1, 1000]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none(portal, number):
    dataset_id = portal.ready_dataset()
    body = json.dumps({"preset": "cpu_demo", "overrides": {"lr_img": number}})

    reply = portal.steward.post(
        f"/datasets/{dataset_id}/distillations",
        content=body,
        headers={"Content-Type": "application/json"},
    )

    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"


def test_an_unknown_preset_is_told_the_known_ones(ask):
    reply = ask({"preset": "cpu_huge"})

    assert reply.status_code == 422
    assert reply.json()["type"] == "urn:iadd-exchange:problem:unknown-preset"
    assert "cpu_demo" in reply.json()["choices"]
    assert "cpu_demo" in reply.json()["detail"]


def test_more_images_than_the_smallest_class_has(ask):
    reply = ask({"preset": "cpu_demo", "images_per_class": 41})

    problem = reply.json()
    assert reply.status_code == 422
    assert problem["type"] == "urn:iadd-exchange:problem:class-too-small"
    assert problem["allowed"] == [1, 40]
    assert "'COVID' has 40 training images" in problem["detail"]
    assert ask({"preset": "cpu_demo", "images_per_class": 40}).status_code == 202


@pytest.mark.parametrize("audit", ["audit_free", "audit_quick", "audit_standard", "audit_full"])
def test_an_audit_is_chosen_by_name_and_kept_as_settings(ask, audit):
    body = ask({"preset": "cpu_demo", "audit": audit}).json()

    assert body["audit"] == audit
    assert body["overrides"] == AUDITS[audit]["settings"]


def test_overrides_prevail_over_a_named_audit(ask):
    body = ask(
        {"preset": "cpu_demo", "audit": "audit_quick", "overrides": {"audit_test_runs": 7}}
    ).json()
    assert body["overrides"] == {"audit_calibration_runs": 4, "audit_test_runs": 7}


def test_an_unknown_audit_is_refused_with_those_there_are(ask):
    reply = ask({"preset": "cpu_demo", "audit": "audit_huge"})
    assert (reply.status_code, reply.json()["choices"]) == (422, list(AUDITS))


def test_a_private_seed_is_drawn_and_shown_nowhere(portal, ask):
    body = ask({"preset": "cpu_demo", "seed": 7}).json()

    first = portal.row(body["id"])
    assert first.private_seed is not None
    assert len(bytes.fromhex(first.private_seed)) == 16
    second = portal.row(ask({"preset": "cpu_demo", "seed": 7}).json()["id"])
    assert second.private_seed != first.private_seed
    told = portal.steward.get(f"/distillations/{first.id}").text
    log = portal.admin.get("/audit").text
    assert first.private_seed not in told + log
    assert "private" not in told
    reply = ask({"preset": "cpu_demo", "overrides": {"private_seed": 3}})
    assert reply.status_code == 422
    portal.steward.post(f"/distillations/{first.id}/cancel")
    assert portal.steward.delete(f"/distillations/{first.id}").status_code == 204
    assert portal.row(first.id).private_seed is None


def test_a_class_too_small_for_k_means_may_start_from_what_shows_nobody(portal):
    dataset_id = portal.ready_dataset(smallest=19)
    path = f"/datasets/{dataset_id}/distillations"
    of_means = {"preset": "paper_covid_cxr", "initialisation": "k_mean", "images_per_class": 2}

    refused = portal.steward.post(path, json=of_means | {"overrides": {"k_mean_images": 20}})

    assert refused.status_code == 422
    assert refused.json()["where"] == "initialisation"
    assert "public" in refused.json()["detail"]
    accepted = portal.steward.post(path, json={"preset": "cpu_demo", "initialisation": "noise"})
    assert accepted.status_code == 202


@pytest.mark.parametrize("state", ["new_dataset", "uploaded_dataset", "rejected_dataset"])
def test_a_dataset_that_is_not_ready(portal, broker, state):
    dataset_id = getattr(portal, state)()
    broker.lose_messages()

    reply = portal.steward.post(
        f"/datasets/{dataset_id}/distillations", json={"preset": "cpu_demo"}
    )

    assert reply.status_code == 409
    assert reply.json()["type"] == "urn:iadd-exchange:problem:dataset-not-ready"
    assert broker.messages() == []


def test_another_organisations_dataset_is_not_there(portal):
    dataset_id = portal.ready_dataset()

    reply = portal.stranger.post(
        f"/datasets/{dataset_id}/distillations", json={"preset": "cpu_demo"}
    )

    assert reply.status_code == 404


def test_the_same_key_makes_one(portal, broker, ask):
    broker.lose_messages()
    headers = {"Idempotency-Key": "3f2c"}

    first = ask({"preset": "cpu_demo"}, headers=headers)
    again = ask({"preset": "cpu_demo"}, headers=headers)
    other = ask({"preset": "cpu_demo", "seed": 1}, headers=headers)

    assert again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert other.status_code == 422
    assert other.json()["type"] == "urn:iadd-exchange:problem:idempotency-key-reused"
    assert len(portal.steward.get("/distillations").json()["items"]) == 1
    assert len(broker.messages()) == 1


def test_a_portal_without_its_broker_still_accepts(portal_with, tmp_path):
    """The row says what is to be done; the sweeper sends the message when the broker is back."""
    portal = portal_with(broker_url=f"redis+socket://{tmp_path}/nobody.sock")
    dataset_id = portal.ready_dataset()

    reply = portal.steward.post(
        f"/datasets/{dataset_id}/distillations", json={"preset": "cpu_demo"}
    )

    assert reply.status_code == 202
    assert portal.row(reply.json()["id"]).status == DistillationStatus.QUEUED
