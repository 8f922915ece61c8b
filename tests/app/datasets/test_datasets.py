"""Rows of datasets: making, listing, reading, and who may."""


def test_a_new_dataset_awaits_its_archive(house):
    reply = house.steward.post("/datasets", json={"name": "  Winter 2025 "})

    assert reply.status_code == 201
    body = reply.json()
    assert reply.headers["location"] == f"/api/v1/datasets/{body['id']}"
    assert body["name"] == "Winter 2025"
    assert body["status"] == "awaiting_upload"
    assert body["created_at"].endswith("Z")
    assert house.steward.get(f"/datasets/{body['id']}").json() == body


def test_lists_go_through_all_pages_newest_first(house):
    made = [house.new_dataset() for _ in range(5)]

    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = house.researcher.get("/datasets", params=query).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == made[::-1]


def test_a_page_stays_where_it_was_while_datasets_are_added(house):
    made = [house.new_dataset() for _ in range(3)]
    first = house.steward.get("/datasets", params={"limit": 2}).json()
    house.new_dataset()

    second = house.steward.get("/datasets", params={"cursor": first["next_cursor"]}).json()

    assert [item["id"] for item in second["items"]] == made[:1]


def test_another_organisation_sees_nothing(house):
    dataset_id = house.ready_dataset()

    assert house.stranger.get("/datasets").json()["items"] == []
    for path in ("", "/quality", "/thumbnails", "/thumbnails/0000.png"):
        reply = house.stranger.get(f"/datasets/{dataset_id}{path}")
        assert reply.status_code == 404
        assert reply.json()["type"] == "urn:iadd-exchange:problem:dataset-not-found"
    assert house.stranger.put(f"/datasets/{dataset_id}/archive", content=b"x").status_code == 404
    assert house.stranger.delete(f"/datasets/{dataset_id}").status_code == 404
    assert house.steward.get(f"/datasets/{dataset_id}").status_code == 200


def test_a_researcher_reads_and_neither_makes_nor_deletes(house):
    dataset_id = house.ready_dataset()

    assert house.researcher.get(f"/datasets/{dataset_id}").status_code == 200
    for reply in (
        house.researcher.post("/datasets", json={"name": "mine"}),
        house.researcher.put(f"/datasets/{dataset_id}/archive", content=b"x"),
        house.researcher.delete(f"/datasets/{dataset_id}"),
    ):
        assert reply.status_code == 403
        assert reply.json()["roles"] == ["steward", "admin"]


def test_quality_report_and_thumbnails_of_a_checked_dataset(house):
    dataset_id = house.ready_dataset()

    assert house.researcher.get(f"/datasets/{dataset_id}/quality").json() == {"images": 100}
    thumbnails = house.researcher.get(f"/datasets/{dataset_id}/thumbnails").json()["items"]
    assert [item["name"] for item in thumbnails] == ["0000.png"]
    picture = house.researcher.get(thumbnails[0]["href"])
    assert picture.content == b"\x89PNG"
    assert picture.headers["content-type"] == "image/png"


def test_no_quality_report_before_the_check(house):
    reply = house.steward.get(f"/datasets/{house.new_dataset()}/quality")

    assert reply.status_code == 409
    assert "PUT the archive" in reply.json()["detail"]


def test_a_thumbnail_name_is_no_path(house):
    dataset_id = house.ready_dataset()

    for name in ("..%2Fquality.json", "%2e%2e%2fimages.safetensors", "0001.png", "a" * 300):
        assert house.steward.get(f"/datasets/{dataset_id}/thumbnails/{name}").status_code == 404
