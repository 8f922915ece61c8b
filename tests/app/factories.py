"""Objects of a portal to ask about.

Each object is made afresh: what one caller changes is nothing that another one asks for.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from app.core.clock import utc_now
from app.core.ids import new_id
from app.core.security import Role
from app.models import (
    AccessRequest,
    Connection,
    DistillationStatus,
    Grant,
    Notification,
    OverrideStatus,
    Publication,
    ReleaseOverride,
    SecondFactor,
    Training,
    TrainingStatus,
    Withdrawal,
    WithdrawalStatus,
)
from app.signing.keys import new_key

WEBHOOK = {"url": "https://receiver.hospital.example/", "events": ["dataset.ready"]}


@dataclass
class ObjectFactory:
    """Objects of the portal, made afresh for each call that may change one."""

    portal: Any

    def dataset(self) -> str:
        return self.portal.ready_dataset()

    def new_dataset(self) -> str:
        return self.portal.new_dataset()

    def upload(self) -> str:
        reply = self.portal.steward.post("/uploads", headers=self.upload_headers())
        return reply.json()["id"]

    def upload_headers(self) -> dict[str, str]:
        dataset_id = b64encode(self.new_dataset().encode()).decode()
        return {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": "10",
            "Upload-Metadata": f"dataset_id {dataset_id}",
        }

    def queued(self) -> str:
        return self.portal.distillation()

    def failed(self) -> str:
        return self.portal.distillation(DistillationStatus.FAILED)

    def finished(self) -> str:
        return self.portal.releasable_distillation()

    def reported(self) -> str:
        """With its reports in the storage."""
        return self.portal.ready_distillation()

    def release(self) -> str:
        return self.portal.release()["id"]

    def override(self) -> str:
        """One that somebody else of the organisation asked for."""
        asked_by = self.user()
        return self._row(
            ReleaseOverride(
                organisation_id=self.portal.organisation_id,
                distillation_id=self.finished(),
                objections=["weak-power"],
                reason="For the partners of the trial.",
                status=OverrideStatus.REQUESTED,
                requested_by_id=asked_by,
                requested_by="Dr. Asking",
                expires_at=utc_now() + timedelta(days=30),
            )
        )

    def _row(self, row: Any) -> str:
        with self.portal.database.transaction() as session:
            session.add(row)
        return row.id

    def received_request(self) -> str:
        return self._request(self.portal.organisation_id, self.portal.elsewhere_id)

    def sent_request(self) -> str:
        return self._request(self.portal.elsewhere_id, self.portal.organisation_id)

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
        return self._grant(self.portal.organisation_id, self.portal.elsewhere_id)

    def held_grant(self) -> str:
        return self._grant(self.portal.elsewhere_id, self.portal.organisation_id)

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
                organisation_id=self.portal.organisation_id,
                dataset_id=self.dataset(),
                release_ids=[self.release()],
                rows=["own"],
                networks=2,
                seed=0,
                status=TrainingStatus.PROPOSED,
            )
        )

    def forecast(self) -> str:
        reply = self.portal.steward.post(
            f"/datasets/{self.dataset()}/forecasts", json={"preset": "cpu_demo"}
        )
        return reply.json()["id"]

    def withdrawal(self) -> str:
        return self._row(
            Withdrawal(
                organisation_id=self.portal.organisation_id,
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
        return self.portal.admin.post("/tokens", json={"role": "researcher"}).json()["id"]

    def user(self) -> str:
        member = self.portal.person(
            self.portal.organisation_id, Role.RESEARCHER, f"Dr. {new_id('x')}"
        )
        return member.get("/session").json()["user_id"]

    def user_with_an_app(self) -> str:
        user_id = self.user()
        with self.portal.database.transaction() as session:
            session.add(SecondFactor(user_id=user_id, sealed_secret="x", confirmed_at=utc_now()))
        return user_id

    def connection(self) -> str:
        """One that nobody has confirmed: nothing is sent."""
        return self._row(
            Connection(
                organisation_id=self.portal.organisation_id,
                name="The hub",
                url=f"https://{new_id('hub')}.example",
                sealed_token=self.portal.services.vault.seal(b"iadd_token"),
                there="St. Anna",
                there_id="org_there",
                hub_key=new_key()[1],
            )
        )

    def publication(self) -> str:
        release_id = new_id("rel")
        with self.portal.database.transaction() as session:
            session.add(
                Publication(
                    release_id=release_id,
                    organisation_id=self.portal.organisation_id,
                    envelope={},
                    size=10,
                )
            )
        return release_id

    def invitation(self) -> str:
        body = {"email": f"{new_id('x')}@hospital.example", "roles": ["researcher"]}
        return self.portal.admin.post("/invitations", json=body).json()["id"]

    def webhook(self) -> str:
        made = self.portal.admin.post("/webhooks", json=WEBHOOK)
        if made.status_code == 409:  # as many as there may be
            return self.portal.admin.get("/webhooks").json()["items"][0]["id"]
        return made.json()["id"]

    def organisation(self) -> str:
        return self.portal.organisation_id

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


Maker = Callable[[ObjectFactory], str]

USUAL: dict[str, Maker] = {
    "dataset_id": ObjectFactory.dataset,
    "upload_id": ObjectFactory.upload,
    "distillation_id": ObjectFactory.finished,
    "release_id": ObjectFactory.release,
    "override_id": ObjectFactory.override,
    "request_id": ObjectFactory.received_request,
    "grant_id": ObjectFactory.given_grant,
    "training_id": ObjectFactory.training,
    "withdrawal_id": ObjectFactory.withdrawal,
    "forecast_id": ObjectFactory.forecast,
    "connection_id": ObjectFactory.connection,
    "token_id": ObjectFactory.token,
    "user_id": ObjectFactory.user,
    "invitation_id": ObjectFactory.invitation,
    "organisation_id": ObjectFactory.organisation,
    "notification_id": ObjectFactory.notification,
    "webhook_id": ObjectFactory.webhook,
    "job_id": ObjectFactory.failed,
    "name": lambda factory: "0000.png",
    "position": lambda factory: "0",
    "code": lambda factory: "near_duplicate",
    "file": lambda factory: "ab12",
}


def filled(
    factory: ObjectFactory,
    path: str,
    ids: Mapping[str, Maker],
    kept: dict[Maker, str] | None = None,
) -> str:
    """The address of a route.

    Args:
        factory: Makes its objects.
        path: Of the route.
        ids: What makes each id, where it is not the usual.
        kept: What was made before, for callers that change nothing; None: all is made afresh.
    """
    named = USUAL | ids

    def of(match: re.Match[str]) -> str:
        make = named[match[1]]
        if kept is None:
            return make(factory)
        if make not in kept:
            kept[make] = make(factory)
        return kept[make]

    return re.sub(r"\{(\w+)\}", of, path)
