"""The description that clients are generated from."""

import pytest


@pytest.fixture(scope="module")
def document(shared_app):
    return shared_app[0].openapi()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_operation_ids_are_stable(document):
    """A change here renames methods of generated clients."""
    assert {name: operation["operationId"] for name, operation in operations(document)} == {
        "GET /healthz": "healthz",
        "GET /readyz": "readyz",
        "GET /metrics": "metrics",
        "POST /api/v1/tokens": "create_token",
        "GET /api/v1/tokens": "list_tokens",
        "DELETE /api/v1/tokens/{token_id}": "delete_token",
        "POST /api/v1/datasets": "create_dataset",
        "GET /api/v1/datasets": "list_datasets",
        "GET /api/v1/datasets/{dataset_id}": "get_dataset",
        "DELETE /api/v1/datasets/{dataset_id}": "delete_dataset",
        "PUT /api/v1/datasets/{dataset_id}/archive": "upload_archive",
        "GET /api/v1/datasets/{dataset_id}/quality": "get_quality_report",
        "GET /api/v1/datasets/{dataset_id}/thumbnails": "list_thumbnails",
        "GET /api/v1/datasets/{dataset_id}/thumbnails/{name}": "get_thumbnail",
        "GET /api/v1/presets": "list_presets",
        "POST /api/v1/datasets/{dataset_id}/distillations": "create_distillation",
        "GET /api/v1/distillations": "list_distillations",
        "GET /api/v1/distillations/{distillation_id}": "get_distillation",
        "DELETE /api/v1/distillations/{distillation_id}": "delete_distillation",
        "GET /api/v1/distillations/{distillation_id}/events": "follow_distillation",
        "POST /api/v1/distillations/{distillation_id}/cancel": "cancel_distillation",
        "POST /api/v1/distillations/{distillation_id}/retry": "retry_distillation",
        "GET /api/v1/distillations/{distillation_id}/report.json": "get_report_json",
        "GET /api/v1/distillations/{distillation_id}/report.html": "get_report_html",
        "GET /api/v1/distillations/{distillation_id}/bundle": "get_bundle",
    }


def test_every_operation_has_a_tag_and_tells_its_problems(document):
    for name, operation in operations(document):
        assert operation["tags"], name
        if "/api/" not in name:
            continue
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (name, status)
        assert {"401", "403", "422"} <= set(operation["responses"]), name


def test_every_reference_leads_somewhere(document):
    def references(part):
        if isinstance(part, dict):
            if "$ref" in part:
                yield part["$ref"]
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    found = set(references(document))
    assert "#/components/schemas/Problem" in found
    for reference in found:
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_it_is_served_to_everybody(house):
    assert house.client.get("/api/v1/openapi.json").json()["info"]["title"] == "IADD Exchange"
