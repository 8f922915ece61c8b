"""Who may call what: every route, as nobody, as each role, and as another organisation.

The table is docs/authorisation.md. What a route answers is brought down to one word:

- `sign in`: 401, for whoever is nobody.
- `no`: 403, the role does not allow it.
- `hidden`: 404, as if it were not there.
- `grant`: 403, a grant of the owner is needed.
- `yes`: anything else; whether the request then succeeds is another matter.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.core.clock import utc_now
from app.core.ids import new_id
from app.core.security import Role
from app.models import (
    AccessRequest,
    DistillationStatus,
    Grant,
    Notification,
    Training,
    TrainingStatus,
    Withdrawal,
    WithdrawalStatus,
)
from app.organisations import service as organisations

TABLE = Path(__file__).parents[2] / "docs" / "authorisation.md"
HEADINGS = ["nobody", *(role.value for role in Role), "another organisation"]
PASSWORD = "correct horse battery staple"

PUBLIC_CODES = {"wrong-credentials", "link-not-valid", "no-identity-provider"}
"""401 and 404 that speak of what was sent, not of who sent it."""
GRANT_CODES = {"no-access", "terms-not-accepted"}


@dataclass
class Town:
    """Objects of the house, made afresh for each call that may change one."""

    house: Any

    def dataset(self) -> str:
        return self.house.ready_dataset()

    def new_dataset(self) -> str:
        return self.house.new_dataset()

    def upload(self) -> str:
        reply = self.house.steward.post("/uploads", headers=self.upload_headers())
        return reply.json()["id"]

    def upload_headers(self) -> dict[str, str]:
        dataset_id = b64encode(self.new_dataset().encode()).decode()
        return {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": "10",
            "Upload-Metadata": f"dataset_id {dataset_id}",
        }

    def queued(self) -> str:
        return self.house.distillation()

    def failed(self) -> str:
        return self.house.distillation(DistillationStatus.FAILED)

    def finished(self) -> str:
        return self.house.releasable_distillation()

    def release(self) -> str:
        return self.house.release()["id"]

    def _row(self, row: Any) -> str:
        with self.house.database.transaction() as session:
            session.add(row)
        return row.id

    def received_request(self) -> str:
        return self._request(self.house.organisation_id, self.house.elsewhere_id)

    def sent_request(self) -> str:
        return self._request(self.house.elsewhere_id, self.house.organisation_id)

    def _request(self, owner: str, asks: str) -> str:
        return self._row(
            AccessRequest(
                release_id=self.release(),
                owner_id=owner,
                organisation_id=asks,
                requester="Dr. Grey",
                requester_email="grey@hospital.example",
                purpose="For research.",
            )
        )

    def given_grant(self) -> str:
        return self._grant(self.house.organisation_id, self.house.elsewhere_id)

    def held_grant(self) -> str:
        return self._grant(self.house.elsewhere_id, self.house.organisation_id)

    def _grant(self, owner: str, holder: str) -> str:
        return self._row(
            Grant(
                release_id=self.release(),
                owner_id=owner,
                organisation_id=holder,
                granted_by="Dr. Grey",
            )
        )

    def training(self) -> str:
        return self._row(
            Training(
                organisation_id=self.house.organisation_id,
                dataset_id=self.dataset(),
                release_ids=[self.release()],
                rows=["own"],
                networks=2,
                seed=0,
                status=TrainingStatus.PROPOSED,
            )
        )

    def forecast(self) -> str:
        reply = self.house.steward.post(
            f"/datasets/{self.dataset()}/forecasts", json={"preset": "cpu_demo"}
        )
        return reply.json()["id"]

    def withdrawal(self) -> str:
        return self._row(
            Withdrawal(
                organisation_id=self.house.organisation_id,
                dataset_id=self.dataset(),
                whole_dataset=False,
                reason="",
                asked_by="Dr. Grey",
                status=WithdrawalStatus.DONE,
                finished_at=utc_now(),
                lineage={
                    "trajectories": [],
                    "distillations": [],
                    "releases": [],
                    "recipients": [],
                },
            )
        )

    def token(self) -> str:
        return self.house.admin.post("/tokens", json={"role": "researcher"}).json()["id"]

    def user(self) -> str:
        member = self.house.person(
            self.house.organisation_id, Role.RESEARCHER, f"Dr. {new_id('x')}"
        )
        return member.get("/session").json()["user_id"]

    def invitation(self) -> str:
        body = {"email": f"{new_id('x')}@hospital.example", "roles": ["researcher"]}
        return self.house.admin.post("/invitations", json=body).json()["id"]

    def webhook(self) -> str:
        made = self.house.admin.post("/webhooks", json=WEBHOOK)
        if made.status_code == 409:  # as many as there may be
            return self.house.admin.get("/webhooks").json()["items"][0]["id"]
        return made.json()["id"]

    def organisation(self) -> str:
        return self.house.organisation_id

    def notification(self) -> str:
        return self._row(
            Notification(
                email="nobody@hospital.example",
                kind="test",
                title="",
                text="",
                mail_status="none",
            )
        )


WEBHOOK = {"url": "https://receiver.hospital.example/", "events": ["dataset.ready"]}
REASON = {"reason": "Because it is so."}
PURPOSE = {"purpose": "We train a triage network for our emergency department."}

# For each operation that needs one: what its ids are, and a body that can be read.
IDS: dict[str, dict[str, Callable[[Town], str]]] = {
    "upload_archive": {"dataset_id": Town.new_dataset},
    "cancel_distillation": {"distillation_id": Town.queued},
    "retry_distillation": {"distillation_id": Town.failed},
    "change_access_request": {"request_id": Town.sent_request},
    "cancel_access_request": {"request_id": Town.sent_request},
    "accept_terms": {"grant_id": Town.held_grant},
}
USUAL: dict[str, Callable[[Town], str]] = {
    "dataset_id": Town.dataset,
    "upload_id": Town.upload,
    "distillation_id": Town.finished,
    "release_id": Town.release,
    "request_id": Town.received_request,
    "grant_id": Town.given_grant,
    "training_id": Town.training,
    "withdrawal_id": Town.withdrawal,
    "forecast_id": Town.forecast,
    "token_id": Town.token,
    "user_id": Town.user,
    "invitation_id": Town.invitation,
    "organisation_id": Town.organisation,
    "notification_id": Town.notification,
    "webhook_id": Town.webhook,
    "job_id": Town.failed,
    "name": lambda town: "0000.png",
    "position": lambda town: "0",
}
TUS = {"Tus-Resumable": "1.0.0"}
HEADERS: dict[str, Callable[[Town], dict[str, str]]] = {
    "create_upload": Town.upload_headers,
    "get_upload_offset": lambda town: TUS,
    "append_to_upload": lambda town: {
        **TUS,
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    },
    "delete_upload": lambda town: TUS,
}
BODIES: dict[str, Callable[[Town], Any]] = {
    "sign_in": lambda town: {"email": "a@b.example", "password": PASSWORD},
    "forgot_password": lambda town: {"email": "a@b.example"},
    "create_organisation": lambda town: {"name": new_id("org")},
    "change_own_organisation": lambda town: {"contact": "a@b.example"},
    "operate_organisation": lambda town: {},
    "rotate_key": lambda town: {},
    "create_user": lambda town: {
        "email": f"{new_id('x')}@hospital.example",
        "name": "Dr. New",
        "roles": ["researcher"],
        "password": PASSWORD,
    },
    "change_user": lambda town: {"name": "Dr. Other"},
    "change_password": lambda town: {"current": PASSWORD, "new": PASSWORD},
    "create_invitation": lambda town: {
        "email": f"{new_id('x')}@hospital.example",
        "roles": ["researcher"],
    },
    "look_at_invitation": lambda town: {"secret": "nonsense"},
    "accept_invitation": lambda town: {"secret": "nonsense", "name": "X", "password": PASSWORD},
    "create_token": lambda town: {},
    "create_dataset": lambda town: {"name": "chest"},
    "create_distillation": lambda town: {"preset": "cpu_demo"},
    "create_forecast": lambda town: {"preset": "cpu_demo"},
    "create_release": lambda town: {
        "title": "Chest X-rays",
        "summary": "Adults.",
        "contact": "a@b.example",
    },
    "withdraw_release": lambda town: REASON,
    "request_access": lambda town: PURPOSE,
    "change_access_request": lambda town: PURPOSE,
    "grant_access": lambda town: {},
    "return_access_request": lambda town: REASON,
    "deny_access": lambda town: REASON,
    "grant_directly": lambda town: {"organisation_id": town.house.elsewhere_id},
    "accept_terms": lambda town: {"terms_sha256": "0" * 64},
    "revoke_grant": lambda town: REASON,
    "create_withdrawal": lambda town: {**REASON, "whole_dataset": True},
    "create_training": lambda town: {
        "dataset_id": town.dataset(),
        "release_ids": [town.release()],
    },
    "confirm_training": lambda town: {"class_maps": {}},
    "send_score": lambda town: {"training_id": "tr_none"},
    "cancel_job": lambda town: REASON,
    "create_webhook": lambda town: WEBHOOK,
    "change_webhook": lambda town: {"paused": True},
    "rotate_webhook_secret": lambda town: {},
}


@pytest.fixture
def callers(house) -> dict[str, Any]:
    """Somebody of each kind; the other organisation's person may do everything there."""
    with house.database.transaction() as session:
        third = organisations.create(session, house.portal.vault, "Third").id
    return {
        "nobody": None,
        **{role.value: house.person(house.organisation_id, role, f"Dr. {role}") for role in Role},
        "another organisation": house.person(third, Role.ADMIN, "Dr. Third"),
    }


def word(reply) -> str:
    code = ""
    # The reply to a HEAD has the header and not the body.
    if reply.headers.get("content-type") == "application/problem+json" and reply.content:
        code = reply.json()["type"].rpartition(":")[2]
    if code in PUBLIC_CODES:
        return "yes"
    if reply.status_code == 401:
        return "sign in"
    if reply.status_code == 403:
        return "grant" if code in GRANT_CODES else "no" if code in ("forbidden", "") else "yes"
    return "hidden" if reply.status_code == 404 else "yes"


def operations(house):
    for path, methods in house.client.get("/api/v1/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path


def ask(house, caller, operation: str, method: str, path: str):
    town = Town(house)
    ids = {**USUAL, **IDS.get(operation, {})}
    filled = re.sub(r"\{(\w+)\}", lambda match: ids[match[1]](town), path)
    arguments: dict[str, Any] = {}
    if operation in HEADERS:
        arguments["headers"] = HEADERS[operation](town)
    if operation in BODIES:
        arguments["json"] = BODIES[operation](town)
    elif operation == "upload_archive":
        arguments["content"] = b"an archive"
    if caller is None or not path.startswith("/api"):
        return house.client.request(method, filled, **arguments)
    return caller.request(method, filled, **arguments)


def read_table() -> dict[str, list[str]]:
    rows = {}
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `"):
            rows[cells[0].strip("`")] = cells[2:]
    return rows


def test_every_route_answers_each_caller_as_the_table_says(house, callers):
    expected, found = read_table(), {}
    for operation, method, path in operations(house):
        found[operation] = [
            word(ask(house, callers[heading], operation, method, path)) for heading in HEADINGS
        ]
        print(f"| `{operation}` | {method} {path} | {' | '.join(found[operation])} |")
    # The lines printed above are those of a table that would be right.
    assert found == expected


def test_the_table_is_of_the_roles_there_are():
    heading = next(
        line for line in TABLE.read_text().splitlines() if line.startswith("| operation")
    )
    cells = [cell.strip() for cell in heading.strip("|").split("|")]
    assert cells == ["operation", "route", *HEADINGS]
