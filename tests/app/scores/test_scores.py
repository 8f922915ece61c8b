"""A recipient sends what a release was worth on its own images."""

import json

from app.models import Training
from app.signing.keys import Purpose, decode, verify
from iadd.bundle.format import signed_message


def downloaded(portal):
    release = portal.release()
    grant = portal.steward.post(
        f"/releases/{release['id']}/grants", json={"organisation_id": portal.elsewhere_id}
    ).json()
    portal.recipient.post(
        f"/grants/{grant['id']}/acceptance", json={"terms_sha256": release["terms"]["sha256"]}
    )
    portal.recipient.get(f"/releases/{release['id']}/bundle")
    return release


def score(of, **changes):
    figure = {"mean": 0.7, "std": 0.02, "n": 5}
    return {
        "format": 1,
        "release": {"fingerprint": of["bundle"]["fingerprint"], "images": 4},
        "classes": ["COVID", "Normal"],
        "left_out": [],
        "class_map": {"COVID": "COVID", "Normal": "Normal"},
        "test_images": {"COVID": 10, "Normal": 20},
        "figures": {
            **dict.fromkeys(("balanced_accuracy", "accuracy", "macro_f1", "auroc"), figure),
            "per_class": {
                "COVID": {
                    **dict.fromkeys(("sensitivity", "specificity", "auroc"), figure),
                    "support": 10,
                }
            },
        },
        "recipe": {"optimizer": "SGD", "lr": 0.01},
        "network": {"name": "convnet", "depth": 5, "width": 16},
        "image_size": 112,
        "seed": 0,
        "versions": {"torch": "2.11"},
        "time": "2026-11-24T12:00:00Z",
        **changes,
    }


def send(portal, release, body):
    return portal.recipient.post(f"/releases/{release['id']}/scores", json=body)


def code(reply):
    return reply.json()["type"].rpartition(":")[2]


def test_a_score_is_signed_with_the_recipients_key_and_shown_with_the_release(portal):
    release = downloaded(portal)

    sent = send(portal, release, {"score": score(release)})

    assert sent.status_code == 201
    [shown] = portal.steward.get(f"/releases/{release['id']}").json()["scores"]
    assert shown["organisation"]["name"] == "Elsewhere"
    assert shown["score"]["figures"]["balanced_accuracy"]["mean"] == 0.7
    message = signed_message(Purpose.SCORE, shown["document"].encode())
    assert verify(shown["public_key"], decode(shown["signature"], 64), message)
    changed = signed_message(Purpose.SCORE, shown["document"].replace("0.7", "0.9").encode())
    assert not verify(shown["public_key"], decode(shown["signature"], 64), changed)
    [key] = portal.steward.get(f"/organisations/{portal.elsewhere_id}/keys").json()["items"]
    assert shown["public_key"] == key["public_key"]
    assert json.loads(shown["document"])["release"] == release["id"]


def test_whoever_has_not_had_it_has_no_score(portal):
    release = portal.release()
    assert code(send(portal, release, {"score": score(release)})) == "not-downloaded"


def test_a_score_of_another_bundle_is_refused(portal):
    release = downloaded(portal)
    other = score(release, release={"fingerprint": "0" * 64, "images": 4})
    assert code(send(portal, release, {"score": other})) == "score-not-usable"


def test_a_score_carries_figures_and_nothing_else(portal):
    release = downloaded(portal)
    for wrong in (
        {"score": score(release, remark="patient Mueller was misread")},
        {"score": score(release, figures={"accuracy": 2})},
        {},
        {"score": score(release), "training_id": "tr_1"},
    ):
        assert send(portal, release, wrong).status_code == 422


def test_a_training_on_the_portal_gives_one(portal):
    release = downloaded(portal)
    with portal.database.transaction() as session:
        training = Training(
            organisation_id=portal.elsewhere_id,
            dataset_id=portal.ready_dataset(),
            release_ids=[release["id"]],
            rows=["received"],
            networks=5,
            seed=0,
            status="running",
        )
        session.add(training)
    assert code(send(portal, release, {"training_id": training.id})) == "score-not-usable"
    with portal.database.transaction() as session:
        row = session.get_one(Training, training.id)
        row.status, row.result = "ready", {"score": score(release)}
    assert send(portal, release, {"training_id": training.id}).status_code == 201
    assert send(portal, release, {"training_id": "tr_none"}).status_code == 404
