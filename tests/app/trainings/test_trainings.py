"""Asking for a training on releases, and confirming which class is which."""

from app.models import Training, TrainingStatus


def start(portal, release, **changes):
    body = {"dataset_id": portal.ready_dataset(), "release_ids": [release["id"]], **changes}
    return portal.steward.post("/trainings", json=body)


def maps(release, covid="COVID", normal="Normal"):
    return {release["id"]: {"COVID": covid, "Normal": normal}}


def code(reply):
    return reply.json()["type"].rpartition(":")[2]


def set_status(portal, training_id, status):
    with portal.database.transaction() as session:
        session.get_one(Training, training_id).status = status


def test_without_class_maps_a_worker_proposes(portal, broker):
    reply = start(portal, portal.release())
    assert (reply.status_code, reply.json()["status"]) == (202, "proposing")
    assert ("cpu", "propose_class_maps", reply.json()["id"]) in broker.messages()


def test_with_class_maps_it_trains_at_once(portal, broker):
    release = portal.release()
    reply = start(portal, release, class_maps=maps(release))
    assert (reply.status_code, reply.json()["status"]) == (202, "queued")
    assert ("gpu", "train", reply.json()["id"]) in broker.messages()


def test_a_proposal_is_confirmed_once(portal, broker):
    release = portal.release()
    training_id = start(portal, release).json()["id"]
    early = portal.steward.post(
        f"/trainings/{training_id}/confirm", json={"class_maps": maps(release)}
    )
    assert code(early) == "training-not-proposed"
    set_status(portal, training_id, TrainingStatus.PROPOSED)

    body = {"class_maps": maps(release, covid=None)}
    assert code(portal.steward.post(f"/trainings/{training_id}/confirm", json=body)) == (
        "class-maps-misfit"
    )
    done = portal.steward.post(
        f"/trainings/{training_id}/confirm", json={"class_maps": maps(release)}
    )
    assert done.json()["status"] == "queued"
    assert ("gpu", "train", training_id) in broker.messages()


def test_class_maps_that_name_what_is_not_there_are_refused(portal):
    release = portal.release()
    for wrong in (
        {release["id"]: {"COVID": "COVID"}},
        maps(release, normal="Healthy"),
        {**maps(release), "rel_other": {}},
        {},
        maps(release, covid="Normal"),
    ):
        reply = start(portal, release, class_maps=wrong)
        assert (reply.status_code, code(reply)) == (422, "class-maps-misfit"), wrong


def test_training_on_a_release_needs_access_and_is_told_to_its_owner(portal):
    release = portal.release()
    with portal.database.transaction() as session:
        from app.models import Dataset

        theirs = Dataset(
            organisation_id=portal.elsewhere_id,
            name="ours",
            status="ready",
            classes={"COVID": {"train": 1}, "Normal": {"train": 1}},
        )
        session.add(theirs)
    body = {"dataset_id": theirs.id, "release_ids": [release["id"]], "class_maps": maps(release)}
    assert code(portal.recipient.post("/trainings", json=body)) == "no-access"

    grant = portal.steward.post(
        f"/releases/{release['id']}/grants", json={"organisation_id": portal.elsewhere_id}
    ).json()
    portal.recipient.post(
        f"/grants/{grant['id']}/acceptance", json={"terms_sha256": release["terms"]["sha256"]}
    )
    made = portal.recipient.post("/trainings", json=body)
    assert made.status_code == 202
    [download] = portal.steward.get(f"/releases/{release['id']}/downloads").json()["items"]
    assert download["organisation"]["name"] == "Elsewhere"
    assert portal.steward.get(f"/trainings/{made.json()['id']}").status_code == 404


def test_it_is_cancelled_at_once_where_nobody_works_on_it(portal):
    training_id = start(portal, portal.release()).json()["id"]
    assert portal.steward.post(f"/trainings/{training_id}/cancel").json()["status"] == "cancelled"
    set_status(portal, training_id, TrainingStatus.READY)
    assert code(portal.steward.post(f"/trainings/{training_id}/cancel")) == "training-finished"


def test_its_dataset_is_not_deleted_under_it(portal):
    training = start(portal, portal.release()).json()
    reply = portal.steward.delete(f"/datasets/{training['dataset_id']}")
    assert code(reply) == "dataset-in-use"
    assert reply.json()["trainings"] == [training["id"]]
