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
        "POST /api/v1/session": "sign_in",
        "GET /api/v1/session": "get_session",
        "DELETE /api/v1/session": "sign_out",
        "GET /api/v1/session/oidc": "start_oidc_sign_in",
        "GET /api/v1/session/oidc/callback": "finish_oidc_sign_in",
        "POST /api/v1/organisations": "create_organisation",
        "GET /api/v1/organisations": "list_organisations",
        "GET /api/v1/organisations/mine": "get_own_organisation",
        "PATCH /api/v1/organisations/mine": "change_own_organisation",
        "GET /api/v1/organisations/{organisation_id}": "get_organisation",
        "PATCH /api/v1/organisations/{organisation_id}": "operate_organisation",
        "GET /api/v1/organisations/{organisation_id}/keys": "list_keys",
        "POST /api/v1/organisations/mine/keys": "rotate_key",
        "POST /api/v1/users": "create_user",
        "GET /api/v1/users": "list_users",
        "PUT /api/v1/users/me/password": "change_password",
        "GET /api/v1/portal": "get_portal_identity",
        "GET /api/v1/home-key": "get_home_key",
        "PUT /api/v1/home-key": "send_home_key",
        "POST /api/v1/home-key/confirm": "confirm_home_key",
        "POST /api/v1/publications": "begin_publication",
        "GET /api/v1/publications/{release_id}": "get_publication",
        "PATCH /api/v1/publications/{release_id}/bundle": "append_to_publication",
        "POST /api/v1/publications/withdraw": "withdraw_publication",
        "POST /api/v1/connections": "create_connection",
        "GET /api/v1/connections": "list_connections",
        "GET /api/v1/connections/{connection_id}": "get_connection",
        "POST /api/v1/connections/{connection_id}/confirm": "confirm_connection",
        "POST /api/v1/connections/{connection_id}/pause": "pause_connection",
        "POST /api/v1/connections/{connection_id}/resume": "resume_connection",
        "DELETE /api/v1/connections/{connection_id}": "delete_connection",
        "POST /api/v1/releases/{release_id}/shares": "create_share",
        "GET /api/v1/releases/{release_id}/shares": "list_shares",
        "GET /api/v1/users/me/second-factor": "get_second_factor",
        "POST /api/v1/users/me/second-factor": "begin_second_factor",
        "POST /api/v1/users/me/second-factor/confirm": "confirm_second_factor",
        "POST /api/v1/users/me/second-factor/remove": "remove_second_factor",
        "DELETE /api/v1/users/{user_id}/second-factor": "reset_second_factor",
        "GET /api/v1/users/{user_id}": "get_user",
        "PATCH /api/v1/users/{user_id}": "change_user",
        "POST /api/v1/invitations": "create_invitation",
        "GET /api/v1/invitations": "list_invitations",
        "DELETE /api/v1/invitations/{invitation_id}": "revoke_invitation",
        "POST /api/v1/users/{user_id}/password-link": "create_password_link",
        "POST /api/v1/session/forgotten": "forgot_password",
        "POST /api/v1/invitations/look": "look_at_invitation",
        "POST /api/v1/invitations/accept": "accept_invitation",
        "POST /api/v1/tokens": "create_token",
        "GET /api/v1/tokens": "list_tokens",
        "DELETE /api/v1/tokens/{token_id}": "delete_token",
        "POST /api/v1/datasets": "create_dataset",
        "POST /api/v1/datasets/sample": "create_sample_dataset",
        "GET /api/v1/datasets": "list_datasets",
        "GET /api/v1/datasets/{dataset_id}": "get_dataset",
        "DELETE /api/v1/datasets/{dataset_id}": "delete_dataset",
        "GET /api/v1/datasets/{dataset_id}/versions": "list_dataset_versions",
        "GET /api/v1/datasets/{dataset_id}/ledger": "get_ledger",
        "GET /api/v1/datasets/{dataset_id}/wait": "get_dataset_wait",
        "PUT /api/v1/datasets/{dataset_id}/archive": "upload_archive",
        "POST /api/v1/uploads": "create_upload",
        "GET /api/v1/uploads": "list_uploads",
        "HEAD /api/v1/uploads/{upload_id}": "get_upload_offset",
        "PATCH /api/v1/uploads/{upload_id}": "append_to_upload",
        "DELETE /api/v1/uploads/{upload_id}": "delete_upload",
        "GET /api/v1/datasets/{dataset_id}/quality": "get_quality_report",
        "POST /api/v1/datasets/{dataset_id}/check": "check_dataset_again",
        "POST /api/v1/datasets/{dataset_id}/check/cancel": "cancel_dataset_check",
        "GET /api/v1/datasets/{dataset_id}/quality/files": "list_refused_files",
        "POST /api/v1/datasets/{dataset_id}/findings/{code}": "decide_finding",
        "DELETE /api/v1/datasets/{dataset_id}/decisions": "reset_decisions",
        "GET /api/v1/datasets/{dataset_id}/findings/{code}/picture": "get_finding_picture",
        "GET /api/v1/datasets/{dataset_id}/layout": "get_layout",
        "PUT /api/v1/datasets/{dataset_id}/layout": "confirm_layout",
        "POST /api/v1/datasets/{dataset_id}/texts/search": "search_texts_again",
        "GET /api/v1/datasets/{dataset_id}/texts": "list_texts",
        "POST /api/v1/datasets/{dataset_id}/texts": "decide_texts",
        "GET /api/v1/datasets/{dataset_id}/texts/{file}/picture": "get_text_picture",
        "GET /api/v1/datasets/{dataset_id}/thumbnails": "list_thumbnails",
        "GET /api/v1/datasets/{dataset_id}/thumbnails/{name}": "get_thumbnail",
        "GET /api/v1/presets": "list_presets",
        "GET /api/v1/audits": "list_audits",
        "POST /api/v1/datasets/{dataset_id}/forecasts": "create_forecast",
        "GET /api/v1/forecasts/{forecast_id}": "get_forecast",
        "POST /api/v1/datasets/{dataset_id}/distillations": "create_distillation",
        "GET /api/v1/distillations": "list_distillations",
        "GET /api/v1/distillations/{distillation_id}": "get_distillation",
        "GET /api/v1/distillations/{distillation_id}/wait": "get_distillation_wait",
        "DELETE /api/v1/distillations/{distillation_id}": "delete_distillation",
        "GET /api/v1/distillations/{distillation_id}/events": "follow_distillation",
        "POST /api/v1/distillations/{distillation_id}/cancel": "cancel_distillation",
        "POST /api/v1/distillations/{distillation_id}/retry": "retry_distillation",
        "POST /api/v1/distillations/{distillation_id}/again": "distill_again",
        "GET /api/v1/distillations/{distillation_id}/report.json": "get_report_json",
        "GET /api/v1/distillations/{distillation_id}/report.html": "get_report_html",
        "GET /api/v1/distillations/{distillation_id}/report.pdf": "get_report_pdf",
        "GET /api/v1/distillations/{distillation_id}/certificate.html": "get_certificate_html",
        "GET /api/v1/distillations/{distillation_id}/certificate.pdf": "get_certificate_pdf",
        "GET /api/v1/distillations/{distillation_id}/certificate.json": "get_certificate_json",
        "GET /api/v1/distillations/{distillation_id}/bundle": "get_bundle",
        "POST /api/v1/distillations/{distillation_id}/releases": "create_release",
        "POST /api/v1/distillations/{distillation_id}/release-overrides": "create_release_override",
        "GET /api/v1/distillations/{distillation_id}/release-overrides": "list_release_overrides",
        "GET /api/v1/release-overrides": "list_own_release_overrides",
        "GET /api/v1/release-overrides/{override_id}": "get_release_override",
        "POST /api/v1/release-overrides/{override_id}/approve": "approve_release_override",
        "POST /api/v1/release-overrides/{override_id}/decline": "decline_release_override",
        "GET /api/v1/catalogue": "search_catalogue",
        "GET /api/v1/releases": "list_releases",
        "GET /api/v1/releases/{release_id}": "get_release",
        "GET /api/v1/releases/{release_id}/previews/{position}": "get_preview",
        "GET /api/v1/releases/{release_id}/certificate.html": "get_release_certificate_html",
        "GET /api/v1/releases/{release_id}/certificate.pdf": "get_release_certificate_pdf",
        "GET /api/v1/releases/{release_id}/certificate.json": "get_release_certificate_json",
        "GET /api/v1/releases/{release_id}/bundle": "download_release",
        "POST /api/v1/releases/{release_id}/withdraw": "withdraw_release",
        "GET /api/v1/releases/{release_id}/downloads": "list_downloads",
        "POST /api/v1/releases/{release_id}/access-requests": "request_access",
        "GET /api/v1/access-requests": "list_access_requests",
        "GET /api/v1/access-requests/{request_id}": "get_access_request",
        "PATCH /api/v1/access-requests/{request_id}": "change_access_request",
        "POST /api/v1/access-requests/{request_id}/cancel": "cancel_access_request",
        "POST /api/v1/access-requests/{request_id}/grant": "grant_access",
        "POST /api/v1/access-requests/{request_id}/return": "return_access_request",
        "POST /api/v1/access-requests/{request_id}/deny": "deny_access",
        "POST /api/v1/releases/{release_id}/grants": "grant_directly",
        "GET /api/v1/grants": "list_grants",
        "GET /api/v1/grants/{grant_id}": "get_grant",
        "DELETE /api/v1/grants/{grant_id}": "delete_grant",
        "POST /api/v1/grants/{grant_id}/acceptance": "accept_terms",
        "POST /api/v1/grants/{grant_id}/revoke": "revoke_grant",
        "GET /api/v1/datasets/{dataset_id}/lineage": "get_lineage",
        "POST /api/v1/datasets/{dataset_id}/withdrawals": "create_withdrawal",
        "GET /api/v1/withdrawals": "list_withdrawals",
        "GET /api/v1/withdrawals/{withdrawal_id}": "get_withdrawal",
        "POST /api/v1/trainings": "create_training",
        "GET /api/v1/trainings": "list_trainings",
        "GET /api/v1/trainings/{training_id}": "get_training",
        "GET /api/v1/trainings/{training_id}/wait": "get_training_wait",
        "POST /api/v1/trainings/{training_id}/confirm": "confirm_training",
        "POST /api/v1/trainings/{training_id}/cancel": "cancel_training",
        "POST /api/v1/releases/{release_id}/scores": "send_score",
        "GET /api/v1/notifications": "list_notifications",
        "POST /api/v1/notifications/{notification_id}/read": "read_notification",
        "POST /api/v1/webhooks": "create_webhook",
        "GET /api/v1/webhooks": "list_webhooks",
        "GET /api/v1/webhooks/{webhook_id}": "get_webhook",
        "PATCH /api/v1/webhooks/{webhook_id}": "change_webhook",
        "DELETE /api/v1/webhooks/{webhook_id}": "delete_webhook",
        "GET /api/v1/webhooks/{webhook_id}/deliveries": "list_deliveries",
        "POST /api/v1/webhooks/{webhook_id}/test": "test_webhook",
        "POST /api/v1/webhooks/{webhook_id}/secret": "rotate_webhook_secret",
        "GET /api/v1/operations/status": "get_status",
        "GET /api/v1/operations/workers": "list_workers",
        "GET /api/v1/operations/queues": "list_queues",
        "GET /api/v1/operations/storage": "get_storage",
        "GET /api/v1/operations/jobs": "list_jobs",
        "POST /api/v1/operations/jobs/{job_id}/cancel": "cancel_job",
        "GET /api/v1/audit": "list_audit_entries",
        "GET /api/v1/audit/export": "export_audit_log",
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


def test_it_is_served_to_everybody(portal):
    assert portal.client.get("/api/v1/openapi.json").json()["info"]["title"] == "IADD Exchange"
