"""A dataset that is the next version of another."""


def follow(house, previous_id, name="next"):
    return house.steward.post("/datasets", json={"name": name, "previous_id": previous_id})


def line(house, dataset_id):
    items = house.steward.get(f"/datasets/{dataset_id}/versions").json()["items"]
    return [(item["version"], item["id"]) for item in items]


def test_a_dataset_alone_is_the_first_version_of_itself(house):
    dataset_id = house.new_dataset()
    row = house.steward.get(f"/datasets/{dataset_id}").json()

    assert (row["version"], row["previous_id"], row["next_id"]) == (1, None, None)
    assert row["is_sample"] is False
    assert line(house, dataset_id) == [(1, dataset_id)]


def test_versions_know_their_neighbours_on_each_database(either_house):
    house = either_house
    first = house.new_dataset()
    made = follow(house, first)
    assert made.status_code == 201
    second = made.json()["id"]
    third = follow(house, second).json()["id"]

    assert (made.json()["version"], made.json()["previous_id"]) == (2, first)
    whole = [(1, first), (2, second), (3, third)]
    assert line(house, first) == line(house, second) == line(house, third) == whole
    rows = {row["id"]: row for row in house.steward.get("/datasets").json()["items"]}
    neighbours = [(rows[i]["previous_id"], rows[i]["next_id"]) for i in (first, second, third)]
    assert neighbours == [(None, second), (first, third), (second, None)]


def test_a_dataset_has_one_next_version_at_most(house):
    first = house.new_dataset()
    second = follow(house, first).json()["id"]

    reply = follow(house, first)

    assert reply.status_code == 409
    assert reply.json()["type"].endswith(":dataset-has-next-version")
    assert reply.json()["next_id"] == second
    assert len(house.steward.get("/datasets").json()["items"]) == 2


def test_a_deleted_version_leaves_its_number_and_no_gap_between_neighbours(house):
    first = house.new_dataset()
    second = follow(house, first).json()["id"]
    third = follow(house, second).json()["id"]

    assert house.steward.delete(f"/datasets/{second}").status_code == 204
    assert house.steward.get(f"/datasets/{first}").json()["next_id"] == third
    assert house.steward.get(f"/datasets/{third}").json()["previous_id"] == first
    assert line(house, first) == [(1, first), (3, third)]

    assert house.steward.delete(f"/datasets/{third}").status_code == 204
    assert follow(house, first).json()["version"] == 4


def test_the_line_goes_on_when_its_first_version_is_deleted(house):
    first = house.new_dataset()
    second = follow(house, first).json()["id"]
    assert house.steward.delete(f"/datasets/{first}").status_code == 204

    third = follow(house, second).json()

    assert (third["version"], third["previous_id"]) == (3, second)
    assert line(house, second) == [(2, second), (3, third["id"])]


def test_nobody_follows_what_is_not_theirs(house):
    first = house.new_dataset()

    reply = house.stranger.post("/datasets", json={"name": "mine", "previous_id": first})
    assert (reply.status_code, reply.json()["type"].rpartition(":")[2]) == (
        404,
        "dataset-not-found",
    )
    assert house.stranger.get(f"/datasets/{first}/versions").status_code == 404


def test_the_log_tells_which_version_was_made(house):
    first = house.new_dataset()
    second = follow(house, first).json()["id"]

    entries = house.admin.get("/audit").json()["items"]
    told = next(entry for entry in entries if entry["subject"] == second)
    assert told["action"] == "dataset.created"
    assert told["details"] == {"previous": first, "version": 2}
