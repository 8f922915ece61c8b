"""A dataset that is the next version of another."""


def follow(portal, previous_id, name="next"):
    return portal.steward.post("/datasets", json={"name": name, "previous_id": previous_id})


def line(portal, dataset_id):
    items = portal.steward.get(f"/datasets/{dataset_id}/versions").json()["items"]
    return [(item["version"], item["id"]) for item in items]


def test_a_dataset_alone_is_the_first_version_of_itself(portal):
    dataset_id = portal.new_dataset()
    row = portal.steward.get(f"/datasets/{dataset_id}").json()

    assert (row["version"], row["previous_id"], row["next_id"]) == (1, None, None)
    assert row["is_sample"] is False
    assert line(portal, dataset_id) == [(1, dataset_id)]


def test_versions_know_their_neighbours_on_each_database(either_portal):
    portal = either_portal
    first = portal.new_dataset()
    made = follow(portal, first)
    assert made.status_code == 201
    second = made.json()["id"]
    third = follow(portal, second).json()["id"]

    assert (made.json()["version"], made.json()["previous_id"]) == (2, first)
    whole = [(1, first), (2, second), (3, third)]
    assert line(portal, first) == line(portal, second) == line(portal, third) == whole
    rows = {row["id"]: row for row in portal.steward.get("/datasets").json()["items"]}
    neighbours = [(rows[i]["previous_id"], rows[i]["next_id"]) for i in (first, second, third)]
    assert neighbours == [(None, second), (first, third), (second, None)]


def test_a_dataset_has_one_next_version_at_most(portal):
    first = portal.new_dataset()
    second = follow(portal, first).json()["id"]

    reply = follow(portal, first)

    assert reply.status_code == 409
    assert reply.json()["type"].endswith(":dataset-has-next-version")
    assert reply.json()["next_id"] == second
    assert len(portal.steward.get("/datasets").json()["items"]) == 2


def test_a_deleted_version_leaves_its_number_and_no_gap_between_neighbours(portal):
    first = portal.new_dataset()
    second = follow(portal, first).json()["id"]
    third = follow(portal, second).json()["id"]

    assert portal.steward.delete(f"/datasets/{second}").status_code == 204
    assert portal.steward.get(f"/datasets/{first}").json()["next_id"] == third
    assert portal.steward.get(f"/datasets/{third}").json()["previous_id"] == first
    assert line(portal, first) == [(1, first), (3, third)]

    assert portal.steward.delete(f"/datasets/{third}").status_code == 204
    assert follow(portal, first).json()["version"] == 4


def test_the_line_goes_on_when_its_first_version_is_deleted(portal):
    first = portal.new_dataset()
    second = follow(portal, first).json()["id"]
    assert portal.steward.delete(f"/datasets/{first}").status_code == 204

    third = follow(portal, second).json()

    assert (third["version"], third["previous_id"]) == (3, second)
    assert line(portal, second) == [(2, second), (3, third["id"])]


def test_nobody_follows_what_is_not_theirs(portal):
    first = portal.new_dataset()

    reply = portal.stranger.post("/datasets", json={"name": "mine", "previous_id": first})
    assert (reply.status_code, reply.json()["type"].rpartition(":")[2]) == (
        404,
        "dataset-not-found",
    )
    assert portal.stranger.get(f"/datasets/{first}/versions").status_code == 404


def test_the_log_tells_which_version_was_made(portal):
    first = portal.new_dataset()
    second = follow(portal, first).json()["id"]

    entries = portal.admin.get("/audit").json()["items"]
    told = next(entry for entry in entries if entry["subject"] == second)
    assert told["action"] == "dataset.created"
    assert told["details"] == {"previous": first, "version": 2}
