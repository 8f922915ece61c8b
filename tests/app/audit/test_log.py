"""What the log tells, and to whom."""

from app.audit.chain import follow
from app.audit.export import verify_export


def entries(member, **query):
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return member.get(f"/audit?{words}").json()["items"]


def test_reads_of_raw_data_are_told(portal):
    dataset_id = portal.ready_dataset()
    portal.researcher.get(f"/datasets/{dataset_id}/thumbnails/0000.png")
    portal.researcher.get(f"/datasets/{dataset_id}/quality")

    [seen] = entries(portal.admin, action="dataset.images_seen")
    assert seen["subject"] == dataset_id
    assert seen["actor"]["name"].startswith("token ")
    assert len(entries(portal.admin, action="dataset.quality_seen")) == 1


def test_what_a_role_was_refused_is_told(portal):
    portal.researcher.post("/datasets", json={"name": "chest"})
    [entry] = entries(portal.admin, action="request.refused")
    assert entry["outcome"] == "refused"
    assert entry["details"] == {"needed": "upload", "operation": "create_dataset"}


def test_no_name_of_a_dataset_or_a_file_is_in_the_log(portal):
    portal.steward.post("/datasets", json={"name": "Mueller family"})
    assert "Mueller" not in portal.admin.get("/audit").text


def test_an_organisation_reads_its_own_log_alone(portal):
    portal.ready_dataset()
    assert entries(portal.stranger, action="dataset.created") == []
    for member in (portal.steward, portal.researcher):
        assert member.get("/audit").status_code == 403


def test_pages_go_back_to_the_first_entry(portal):
    for _ in range(3):
        portal.ready_dataset()
    whole, cursor = [], ""
    while cursor is not None:
        query = f"limit=4{'&cursor=' + cursor if cursor else ''}"
        page = portal.admin.get(f"/audit?{query}").json()
        whole += page["items"]
        cursor = page["next_cursor"]
    assert [entry["number"] for entry in whole] == list(range(len(whole), 0, -1))
    assert whole[-1]["action"] == "organisation.created"
    assert portal.admin.get("/audit?cursor=nonsense").status_code == 422


def test_an_export_verifies_with_the_organisations_key(portal, tmp_path):
    portal.ready_dataset()
    path = tmp_path / "audit.jsonl"
    path.write_bytes(portal.admin.get("/audit/export").content)
    [key] = portal.admin.get("/organisations/mine/keys").json()["items"]
    [other] = portal.stranger.get("/organisations/mine/keys").json()["items"]

    assert verify_export(path).exit_code == 0
    assert verify_export(path, key["public_key"]).exit_code == 0
    assert verify_export(path, other["public_key"]).exit_code == 1


def test_the_api_shows_the_chain_itself(portal):
    portal.ready_dataset()
    items = portal.admin.get("/audit?limit=200").json()["items"]
    whole = [
        {**entry, "organisation_id": portal.organisation_id, "at": entry["at"]}
        for entry in reversed(items)
    ]
    assert follow(whole).number == len(items)
