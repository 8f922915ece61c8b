"""Objects of a house to ask about, and the tables of docs/authorisation.md that say who may.

Each object is made afresh: what one caller changes is nothing that another one asks for.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

TABLES = Path(__file__).parents[2] / "docs" / "authorisation.md"
HEADINGS = ["nobody", *(role.value for role in Role), "another organisation"]
PAGES = "## Pages"
WEBHOOK = {"url": "https://receiver.hospital.example/", "events": ["dataset.ready"]}


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

    def reported(self) -> str:
        """With its reports in the storage."""
        return self.house.ready_distillation()

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


def filled(town: Town, path: str, ids: Mapping[str, Callable[[Town], str]]) -> str:
    """The address of a route, with objects of its own where `ids` has no others."""
    named = USUAL | ids
    return re.sub(r"\{(\w+)\}", lambda match: named[match[1]](town), path)


def read_table(part: str) -> dict[str, list[str]]:
    """The first cell of each row, and all others."""
    rows = {}
    for line in part.splitlines():
        if line.startswith("| `"):
            name, *cells = cells_of(line)
            rows[name.strip("`")] = cells
    return rows


def heading_of(part: str) -> list[str]:
    return cells_of(next(line for line in part.splitlines() if line.startswith("| ")))


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rest_and_pages() -> tuple[str, str]:
    """The two parts of docs/authorisation.md."""
    rest, _, pages = TABLES.read_text().partition(PAGES)
    return rest, pages
