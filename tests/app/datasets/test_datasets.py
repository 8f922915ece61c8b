"""Rows of datasets: making, listing, reading, and who may."""


def test_a_new_dataset_awaits_its_archive(portal):
    reply = portal.steward.post("/datasets", json={"name": "  Winter 2025 "})

    assert reply.status_code == 201
    body = reply.json()
    assert reply.headers["location"] == f"/api/v1/datasets/{body['id']}"
    assert body["name"] == "Winter 2025"
    assert body["status"] == "awaiting_upload"
    assert body["created_at"].endswith("Z")
    assert portal.steward.get(f"/datasets/{body['id']}").json() == body


def test_lists_go_through_all_pages_newest_first(portal):
    made = [portal.new_dataset() for _ in range(5)]

    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = portal.researcher.get("/datasets", params=query).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == made[::-1]


def test_a_page_stays_where_it_was_while_datasets_are_added(portal):
    made = [portal.new_dataset() for _ in range(3)]
    first = portal.steward.get("/datasets", params={"limit": 2}).json()
    portal.new_dataset()

    second = portal.steward.get("/datasets", params={"cursor": first["next_cursor"]}).json()

    assert [item["id"] for item in second["items"]] == made[:1]


def test_another_organisation_sees_nothing(portal):
    dataset_id = portal.ready_dataset()

    assert portal.stranger.get("/datasets").json()["items"] == []
    for path in ("", "/quality", "/thumbnails", "/thumbnails/0000.png"):
        reply = portal.stranger.get(f"/datasets/{dataset_id}{path}")
        assert reply.status_code == 404
        assert reply.json()["type"] == "urn:iadd-exchange:problem:dataset-not-found"
    assert portal.stranger.put(f"/datasets/{dataset_id}/archive", content=b"x").status_code == 404
    assert portal.stranger.delete(f"/datasets/{dataset_id}").status_code == 404
    assert portal.steward.get(f"/datasets/{dataset_id}").status_code == 200


def test_a_researcher_reads_and_neither_makes_nor_deletes(portal):
    dataset_id = portal.ready_dataset()

    assert portal.researcher.get(f"/datasets/{dataset_id}").status_code == 200
    for reply in (
        portal.researcher.post("/datasets", json={"name": "mine"}),
        portal.researcher.put(f"/datasets/{dataset_id}/archive", content=b"x"),
        portal.researcher.delete(f"/datasets/{dataset_id}"),
    ):
        assert reply.status_code == 403
        assert reply.json()["roles"] == ["steward", "admin"]


def test_quality_report_and_thumbnails_of_a_checked_dataset(portal):
    dataset_id = portal.ready_dataset()

    assert portal.researcher.get(f"/datasets/{dataset_id}/quality").json()["images"] == 100
    thumbnails = portal.researcher.get(f"/datasets/{dataset_id}/thumbnails").json()["items"]
    assert [item["name"] for item in thumbnails] == ["0000.png"]
    picture = portal.researcher.get(thumbnails[0]["href"])
    assert picture.content == b"\x89PNG"
    assert picture.headers["content-type"] == "image/png"


def test_no_quality_report_before_the_check(portal):
    reply = portal.steward.get(f"/datasets/{portal.new_dataset()}/quality")

    assert reply.status_code == 409
    assert "PUT the archive" in reply.json()["detail"]


def test_a_thumbnail_name_is_no_path(portal):
    dataset_id = portal.ready_dataset()

    for name in ("..%2Fquality.json", "%2e%2e%2fimages.safetensors", "0001.png", "a" * 300):
        assert portal.steward.get(f"/datasets/{dataset_id}/thumbnails/{name}").status_code == 404
