"""What the operator's machinery asks for."""


def test_alive_and_ready(portal):
    assert portal.client.get("/healthz").json() == {"status": "ok"}
    reply = portal.client.get("/readyz")
    assert reply.status_code == 200
    assert reply.json()["checks"] == {
        "database": "ok",
        "broker": "ok",
        "storage": "ok",
        "disc": "ok",
    }


def test_not_ready_without_its_broker(portal_with, tmp_path):
    portal = portal_with(broker_url=f"redis+socket://{tmp_path}/nobody.sock")

    reply = portal.client.get("/readyz")

    assert portal.client.get("/healthz").status_code == 200
    assert reply.status_code == 503
    assert reply.json()["checks"] == {
        "database": "ok",
        "broker": "unreachable",
        "storage": "ok",
        "disc": "ok",
    }


def test_metrics_count_requests_by_operation_and_rows_by_status(portal):
    dataset_id = portal.uploaded_dataset()
    portal.steward.get(f"/datasets/{dataset_id}")

    text = portal.client.get("/metrics").text

    assert 'exchange_rows{status="checking",table="dataset"} 1.0' in text
    assert 'operation="get_dataset",status="200"' in text
    assert dataset_id not in text


def test_replies_are_private_and_inert(portal):
    headers = portal.steward.get("/datasets").headers

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
