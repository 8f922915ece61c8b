"""Many rows of every kind: copies of one, written straight into the database.

What there is less of stops at FEW: organisations, keys, workers; and of one dataset its versions,
distillations and trajectories.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import cycle, islice
from secrets import token_bytes, token_hex
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.audit.chain import hash_entry
from app.audit.log import Action, entry_dict
from app.core.clock import utc_now
from app.core.ids import new_id
from app.core.security import Role
from app.models import (
    Acceptance,
    AccessRequest,
    AuditEntry,
    AuditHead,
    Base,
    Connection,
    Dataset,
    DatasetStatus,
    DeliveryStatus,
    Distillation,
    DistillationStatus,
    Download,
    Event,
    EventKind,
    Forecast,
    ForecastStatus,
    Grant,
    Invitation,
    MailStatus,
    Notification,
    Organisation,
    OrganisationKey,
    Outcome,
    Release,
    ReleaseClass,
    ReleaseStatus,
    RequestStatus,
    Score,
    Share,
    ShareStatus,
    Token,
    Training,
    TrainingStatus,
    TrajectorySet,
    TrajectorySetStatus,
    Upload,
    User,
    Webhook,
    WebhookDelivery,
    WebSession,
    Withdrawal,
    WithdrawalStatus,
    WorkerProcess,
)
from tests.app.factories import ObjectFactory

FEW = 100
FIGURE = {"mean": 0.75, "std": 0.01, "n": 5}
SCORE = {
    "format": 1,
    "release": {"fingerprint": "0" * 64, "images": 4},
    "classes": ["COVID", "Normal"],
    "left_out": [],
    "class_map": {"COVID": "COVID", "Normal": "Normal"},
    "test_images": {"COVID": 10, "Normal": 20},
    "figures": {
        **dict.fromkeys(("balanced_accuracy", "accuracy", "macro_f1", "auroc"), FIGURE),
        "per_class": {},
    },
    "recipe": {"lr": 0.01},
    "network": {"name": "convnet", "depth": 5, "width": 16},
    "image_size": 112,
    "seed": 0,
    "versions": {"torch": "2.11"},
    "time": "2026-11-24T12:00:00Z",
}
REPORT = b"""<!doctype html><html lang="en"><head><style>.report { color: #16202c }</style></head>
<body><main class="report"><h1>Chest, distilled</h1><!-- place: recipients-scores --></main></body>
</html>"""


class BulkSeeder:
    """What a person who may do everything sees, with as many rows as `grow` made.

    Attributes:
        ids: By the name that an address has for it, the one that its page is opened of.
    """

    def __init__(self, portal: Any, email: str) -> None:
        self._portal = portal
        self._size = 0
        self.organisations: list[str] = []
        factory = ObjectFactory(portal)
        self._person = portal.account(Role.ADMIN, Role.OPERATOR, email=email)
        dataset = portal.ready_dataset()
        distillation = portal.distillation(dataset_id=dataset)
        self._finish(distillation)
        release = portal.release(distillation_id=distillation)
        self.ids = {
            "dataset_id": dataset,
            "distillation_id": distillation,
            "release_id": release["id"],
            "request_id": factory.received_request(),
            "grant_id": factory.given_grant(),
            "training_id": factory.training(),
            "withdrawal_id": factory.withdrawal(),
            "forecast_id": portal.steward.post(
                f"/datasets/{dataset}/forecasts", json={"preset": "cpu_demo"}
            ).json()["id"],
            "user_id": self._person,
            "organisation_id": portal.organisation_id,
            "webhook_id": factory.webhook(),
        }
        self._upload = factory.upload()
        self._token = factory.token()
        self._connection = factory.connection()
        self._invitation = factory.invitation()
        self._notification = factory.notification()

    def _finish(self, distillation: str) -> None:
        """As a distillation whose release and report can both be looked at."""
        other = self._portal.releasable_distillation()
        key = f"distillations/{distillation}/report.html"
        self._portal.storage.put(key, REPORT)
        with self._portal.database.transaction() as session:
            made = session.get_one(Distillation, other)
            keys = {name: getattr(made, name) for name in ("bundle_key", "report_json_key")}
        self._portal.advance(
            distillation,
            DistillationStatus.READY,
            report_html_key=key,
            verdict=made.verdict,
            **keys,
        )

    def grow(self, size: int) -> None:
        """Until there are so many rows of each kind."""
        with self._portal.database.transaction() as session:
            _Growth(session, self, self._portal, range(self._size, size)).everything()
        self._size = size


class _Growth:
    def __init__(self, session: Session, seeder: BulkSeeder, portal: Any, added: range) -> None:
        self._session, self._seeder, self._portal = session, seeder, portal
        self._added = added
        self._ids = seeder.ids
        self._home = portal.organisation_id

    def everything(self) -> None:
        self._people()
        self._data()
        self._shared()
        self._access()
        self._hubs()
        self._told()
        self._log()

    def _people(self) -> None:
        person, home = self._seeder._person, self._home
        self._seeder.organisations += self._copies(
            Organisation, self._portal.elsewhere_id, few=True, name=lambda n: f"Hospital {n}"
        )
        self.organisations = self._seeder.organisations
        self.people = self._copies(
            User, person, email=lambda n: f"somebody{n}@hospital.example", last_sign_in_at=None
        )
        for owner in (None, person, self.people):
            self._copies(Token, self._seeder._token, user_id=owner, secret_hash=_hash)
        self._copies(Invitation, self._seeder._invitation, secret_hash=_hash)
        [session_id] = self._session.scalars(select(WebSession.id).limit(1))
        self._copies(WebSession, session_id, user_id=person, secret_hash=_hash)
        key = self._session.scalars(
            select(OrganisationKey.id).where(
                OrganisationKey.organisation_id == home, OrganisationKey.retired_at.is_(None)
            )
        ).one()
        self._copies(
            OrganisationKey,
            key,
            few=True,
            public_key=lambda _: "ed25519:" + b64encode(token_bytes(32)).decode().rstrip("="),
            sealed_private_key=None,
            retired_at=utc_now(),
        )
        self._insert(
            WorkerProcess,
            [
                {
                    **{"id": f"host{n}:1", "host": f"host{n}", "pid": 1, "queues": ["distill"]},
                    **{"device": "CPU", "version": "1", "started_at": utc_now()},
                    "seen_at": utc_now() + timedelta(hours=1),
                }
                for n in self._few()
            ],
        )

    def _data(self) -> None:
        dataset, distillation = self._ids["dataset_id"], self._ids["distillation_id"]
        named = {"name": lambda n: f"Cohort {n}"}
        self.datasets = self._copies(Dataset, dataset, **named)
        for status in (DatasetStatus.AWAITING_UPLOAD, DatasetStatus.REJECTED):
            waiting = self._copies(Dataset, dataset, status=status, **named)
            self._copies(Upload, self._seeder._upload, dataset_id=waiting)
        self._copies(Dataset, dataset, few=True, first_id=dataset, version=lambda n: n + 2, **named)
        statuses = [
            DistillationStatus.READY,
            DistillationStatus.DISTILLING,
            DistillationStatus.FAILED,
        ]
        self.distillations = self._copies(
            Distillation, distillation, dataset_id=self.datasets, finished_at=utc_now()
        )
        self.beside = self._copies(
            Distillation,
            distillation,
            few=True,
            status=statuses,
            lease_owner="host0:1:x",
            lease_expires_at=utc_now() + timedelta(minutes=5),
            finished_at=utc_now(),
        )
        self._copies(Distillation, distillation, status=statuses, dataset_id=self.datasets)
        self._insert(
            TrajectorySet,
            [
                {
                    **{"id": new_id("ts"), "dataset_id": dataset, "teacher_key": token_hex(16)},
                    **{"config": {}, "teachers": 3, "status": TrajectorySetStatus.READY},
                }
                for n in self._few()
            ],
        )
        self._insert(
            Event,
            [
                {
                    **{"distillation_id": distillation, "kind": EventKind.LOG},
                    "data": {"message": f"Line {n}", "time": "2026-11-24T12:00:00Z"},
                }
                for n in self._added
            ],
        )
        self._copies(Forecast, self._ids["forecast_id"], status=ForecastStatus.READY)
        self._copies(Forecast, self._ids["forecast_id"], few=True)
        for kept in (self._ids["dataset_id"], self.datasets):
            self._copies(
                Withdrawal,
                self._ids["withdrawal_id"],
                dataset_id=kept,
                status=[WithdrawalStatus.DONE, WithdrawalStatus.REMOVING, WithdrawalStatus.FAILED],
            )

    def _shared(self) -> None:
        release = self._ids["release_id"]
        self.own = self._copies(
            Release,
            release,
            distillation_id=self.distillations,
            title=lambda n: f"Chest X-rays {n}",
        )
        self.numbers = self._copies(
            Release,
            release,
            few=True,
            number=lambda n: n + 2,
            status=ReleaseStatus.SUPERSEDED,
        )
        self.kin = self._copies(Release, release, few=True, distillation_id=self.beside)
        self.others = self._copies(
            Release,
            release,
            organisation_id=self.organisations,
            distillation_id=self.distillations,
            number=2,
        )
        self._ids.setdefault("other_release_id", self.others[0])
        rows = [*self.own, *self.numbers, *self.kin, *self.others]
        self._insert(
            ReleaseClass,
            [
                {"release_id": row, "position": position, "name": name}
                for row in rows
                for position, name in enumerate(("COVID", "Normal"))
            ],
        )

    def _access(self) -> None:
        person, home, release = self._seeder._person, self._home, self._ids["release_id"]
        decided = [RequestStatus.REQUESTED, RequestStatus.RETURNED, RequestStatus.GRANTED]
        asked = self._ids["request_id"]
        received = {"owner_id": home, "organisation_id": self.organisations, "status": decided}
        sent = {"owner_id": self.organisations, "organisation_id": home, "user_id": person}
        requests = self._copies(AccessRequest, asked, release_id=release, **received)
        self._copies(AccessRequest, asked, release_id=self.own, **received)
        mine = self._copies(AccessRequest, asked, release_id=self.others, status=decided, **sent)
        given = {"owner_id": home, "organisation_id": self.organisations}
        held = {"owner_id": self.organisations, "organisation_id": home}
        template = self._ids["grant_id"]
        grants = [
            *self._copies(Grant, template, release_id=release, request_id=requests, **given),
            *self._copies(Grant, template, release_id=self.own, **given),
            *self._copies(Grant, template, few=True, release_id=self.numbers, **given),
            *self._copies(Grant, template, few=True, release_id=self.kin, **given),
            *self._copies(Grant, template, release_id=self.others, request_id=mine, **held),
        ]
        now = utc_now()
        self._insert(
            Acceptance,
            [
                {
                    **{"id": new_id("acc"), "grant_id": grant, "user_id": person, "name": "X"},
                    **{"email": "x@hospital.example", "accepted_at": now},
                    **{"terms_sha256": "0" * 64, "terms_text": "Terms."},
                }
                for grant in grants
            ],
        )
        asking = _each(self.organisations, self._added)
        taken = [
            *zip(cycle([release]), asking, self._added, strict=False),
            *zip(self.own, asking, self._added, strict=True),
        ]
        self._insert(Download, [_download(*one) for one in taken])
        self._insert(Score, [_score(*one) for one in taken])
        self._copies(
            Training,
            self._ids["training_id"],
            dataset_id=self.datasets,
            release_ids=[[row] for row in self.others],
            status=[TrainingStatus.READY, TrainingStatus.PROPOSED, TrainingStatus.RUNNING],
        )

    def _told(self) -> None:
        person = self._seeder._person
        for read_at in (None, utc_now()):
            self._copies(
                Notification,
                self._seeder._notification,
                user_id=person,
                read_at=read_at,
                link="/notices",
                title="Something",
                mail_status=MailStatus.NONE,
            )
        webhook = self._ids["webhook_id"]
        self._copies(Webhook, webhook)
        now = utc_now()
        self._insert(
            WebhookDelivery,
            [
                {
                    **{"id": new_id("msg"), "webhook_id": webhook, "event": "dataset.ready"},
                    **{"data": {}, "status": DeliveryStatus.DELIVERED, "tries": 1},
                    "created_at": now - timedelta(seconds=n),
                }
                for n in self._added
            ],
        )

    def _hubs(self) -> None:
        hubs = self._copies(
            Connection,
            self._seeder._connection,
            few=True,
            url=lambda n: f"https://hub{n}.example",
            confirmed_at=utc_now(),
        )
        self._insert(
            Share,
            [
                {
                    **{"id": new_id("shr"), "organisation_id": self._home, "tries": 0},
                    **{"release_id": self._ids["release_id"], "connection_id": hub},
                    **{"status": ShareStatus.SHARED, "asked_by": "X", "due_at": utc_now()},
                    **{"created_at": utc_now(), "updated_at": utc_now()},
                }
                for hub in hubs
            ],
        )

    def _log(self) -> None:
        head = self._session.get_one(AuditHead, self._home)
        entries = []
        for _ in self._added:
            entry = AuditEntry(
                organisation_id=self._home,
                number=head.number + 1,
                at=utc_now(),
                actor={"organisation": self._home, "user": None, "token": None, "name": "X"},
                action=Action.RESULT_DOWNLOADED.value,
                subject=self._ids["distillation_id"],
                outcome=Outcome.DONE,
                details={},
                previous_hash=head.hash,
            )
            entry.hash = hash_entry(entry_dict(entry))
            head.number, head.hash = entry.number, entry.hash
            names = AuditEntry.__table__.columns.keys()
            entries.append({name: getattr(entry, name) for name in names})
        self._insert(AuditEntry, entries)
        self._session.flush()

    def _few(self) -> range:
        return range(min(self._added.start, FEW), min(self._added.stop, FEW))

    def _copies(
        self, model: type[Base], template: str, *, few: bool = False, **changes: Any
    ) -> list[str]:
        """Copies of a row; ids of them. A change is a value, one for each, or made by a number."""
        table = model.__table__
        row = self._session.execute(select(table).where(table.c.id == template)).mappings().one()
        added = self._few() if few else self._added
        prefix = template.rpartition("_")[0]
        values = {name: _each(change, added) for name, change in changes.items()}
        began: datetime = utc_now()
        copies = [
            {
                **row,
                "id": new_id(prefix),
                "created_at": began - timedelta(seconds=number),
                "updated_at": began,
                **{name: of[place] for name, of in values.items()},
            }
            for place, number in enumerate(added)
        ]
        self._insert(model, copies)
        return [copy["id"] for copy in copies]

    def _insert(self, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._session.execute(insert(model.__table__), rows)


def _each(change: Any, added: range) -> list[Any]:
    if callable(change):
        return [change(number) for number in added]
    if isinstance(change, list):
        return list(islice(cycle(change), len(added)))
    return [change] * len(added)


def _hash(_number: int) -> str:
    return token_hex(32)


def _download(release: str, organisation: str, number: int) -> dict[str, Any]:
    return {
        **{"id": new_id("dow"), "release_id": release, "organisation_id": organisation},
        **{"name": "Dr. Grey", "created_at": utc_now() - timedelta(seconds=number)},
    }


def _score(release: str, organisation: str, number: int) -> dict[str, Any]:
    return {
        **{"id": new_id("sc"), "release_id": release, "organisation_id": organisation},
        **{"number": number + 1, "name": "Dr. Grey", "document": SIGNED, "signature": "x"},
        **{"public_key": "x", "created_at": utc_now() - timedelta(seconds=number)},
    }


SIGNED = json.dumps({"score": SCORE})
