"""The portal opens data of released versions: migrated, read on every page, released anew."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi import FastAPI
from sqlalchemy import Engine, MetaData, select

import iadd
from app.audit.verify import check
from app.auth.tokens import service as tokens
from app.core.security import Role
from app.main import create_app
from app.migrations import upgrade
from app.models import (
    Base,
    Distillation,
    Notification,
    Organisation,
    OrganisationKey,
    Randomness,
    Release,
)
from app.releases.warnings import warn_owners
from app.signing.verify import GOOD, verify_bundle
from tests.app.web.conftest import Reader
from tests.app.web.routes import addresses
from tests.compatibility.conftest import FIRST, RELEASED
from tests.fixtures.broker import Broker
from tests.fixtures.clients import PASSWORD
from tests.fixtures.portal import make_settings, serving

EVERYBODY = "everybody@hospital.example"
EACH = [
    pytest.param(
        (version, kind),
        id=f"{version}-{kind}",
        marks=() if (version, kind) == (FIRST, "sqlite") else pytest.mark.slow,
    )
    for version in RELEASED
    for kind in ("sqlite", "postgresql")
]
NOT_KEPT = {"alembic_version", "portal_process", "service_state"}
Rows = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


@dataclass
class OldPortal:
    """A portal of today on a data folder of then."""

    app: FastAPI
    url: str
    folder: Path
    before: Rows
    """What was there before the migration."""

    def client(self, organisation_id: str, role: Role) -> httpx.Client:
        with self.app.state.portal.database.transaction() as session:
            _, secret = tokens.create_by_operator(session, organisation_id, role, None)
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {secret}"},
            timeout=60,
        )


@pytest.fixture
def open_portal(unpack: Callable[..., Path], broker: Broker) -> Iterator[Callable[..., OldPortal]]:
    """`open_portal("rows")` migrates a copy of what 0.1.0 left, or another version, and opens it.

    `move(folder)` may put its rows elsewhere before, and returns the address of that database.
    """
    with contextlib.ExitStack() as opened:

        def open_portal(
            name: str, version: str = FIRST, move: Callable[[Path], str] | None = None
        ) -> OldPortal:
            folder = unpack(name, version)
            settings = make_settings(folder, broker)
            if move is not None:
                settings = settings.model_copy(update={"database_url": move(folder)})
            app = create_app(settings)
            before = rows_of(app.state.portal.database.engine)
            upgrade(app.state.portal.database.engine)
            return OldPortal(app, opened.enter_context(serving(app)), folder, before)

        yield open_portal


def rows_of(engine: Engine) -> Rows:
    """Every row of every table, whatever the schema, by its primary key."""
    metadata = MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        return {
            table.name: {
                tuple(row[column.name] for column in table.primary_key): dict(row)
                for row in connection.execute(table.select()).mappings()
            }
            for table in metadata.sorted_tables
            if table.name not in NOT_KEPT
        }


@pytest.fixture(params=EACH)
def of_each(request: pytest.FixtureRequest, open_portal: Callable[..., OldPortal]) -> OldPortal:
    """A portal on the rows of each released version, in each kind of database."""
    version, kind = request.param
    move = None if kind == "sqlite" else request.getfixturevalue("in_postgres")
    return open_portal("rows", version, move)


def test_the_database_is_migrated_to_the_models_of_today(of_each: OldPortal) -> None:
    with of_each.app.state.portal.database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        found = [str(one) for one in compare_metadata(context, Base.metadata)]
    # A default of the database that 0.3.0 did not set; rows have theirs from the model.
    known = "'modify_default', None, 'organisation', 'intake_key'"
    assert [one for one in found if known not in one] == []


def test_every_row_survives_the_migration(of_each: OldPortal) -> None:
    after = rows_of(of_each.app.state.portal.database.engine)

    assert sum(map(len, of_each.before.values())) > 100
    for name, rows in of_each.before.items():
        assert rows.keys() <= after[name].keys(), name
        for key, row in rows.items():
            shared = row.keys() & after[name][key].keys()
            assert {one: after[name][key][one] for one in shared} == {
                one: row[one] for one in shared
            }, f"{name} {key}"


def test_every_page_opens_on_rows_of_every_kind(of_each: OldPortal) -> None:
    portal = of_each
    ids = json.loads((portal.folder / "ids.json").read_text())
    reader = Reader(httpx.URL(portal.url))
    reader.sign_in(EVERYBODY, PASSWORD)

    for address in addresses():
        reader.open(address.format(**ids))

    reader.client.close()


def test_logs_are_whole_and_signatures_hold(of_each: OldPortal, tmp_path: Path) -> None:
    portal = of_each.app.state.portal

    with portal.database.reading() as session:
        # The rows that were copied in bulk have neither a log nor a key that could have signed.
        signers = dict(
            session.execute(
                select(OrganisationKey.organisation_id, OrganisationKey.public_key).where(
                    OrganisationKey.sealed_private_key.is_not(None)
                )
            ).all()
        )
        for organisation_id in signers:
            check(session, organisation_id)
        bundles = {
            release.bundle_key: release.organisation_id
            for release in session.scalars(select(Release))
            if release.id in release.bundle_key
        }
    assert bundles
    for key, organisation_id in bundles.items():
        bundle = tmp_path / "release.zip"
        portal.storage.download(key, bundle)
        code, lines = verify_bundle(bundle, signers[organisation_id])
        assert code == GOOD, lines
        assert len(iadd.load_bundle(bundle)) > 0


def test_releases_that_tell_who_is_in_them_are_marked_and_their_owners_told_once(
    open_portal: Callable[..., OldPortal],
) -> None:
    portal = open_portal("rows").app.state.portal
    with portal.database.reading() as session:
        releases = session.scalars(select(Release)).all()
    risky = {row.id for row in releases if row.facts.get("initialisation") in ("real", "k_mean")}
    assert risky
    assert {row.id for row in releases if row.warning is not None} == risky

    for _ in range(2):
        warn_owners(portal.database)

    with portal.database.reading() as session:
        told = session.scalars(
            select(Notification.data).where(Notification.kind == "release.warned")
        ).all()
        untold = session.scalars(select(Release.id).where(Release.warned_at.is_(None))).all()
    assert not risky & set(untold)
    assert {notice["release"] for notice in told} <= risky


def test_a_finished_distillation_is_read_and_not_released_any_more(
    open_portal: Callable[..., OldPortal], tmp_path: Path
) -> None:
    portal = open_portal("results")
    database = portal.app.state.portal.database
    with database.transaction() as session:
        [row] = session.scalars(select(Distillation))
        # As an admin decided then.
        session.get_one(Organisation, row.organisation_id).policy = {"unknown_power": True}
        assert (row.private_seed, row.randomness) == (None, Randomness.PUBLISHED)
        distillation_id, organisation_id = row.id, row.organisation_id

    with portal.client(organisation_id, Role.STEWARD) as steward:
        read = steward.get(f"/distillations/{distillation_id}").json()
        assert (read["status"], read["verdict"]) == ("ready", "not_refuted")
        report = steward.get(f"/distillations/{distillation_id}/report.json").json()
        assert report["utility"]["distilled"]["balanced_accuracy"]["mean"] == 1
        bundle = tmp_path / "bundle.zip"
        bundle.write_bytes(steward.get(f"/distillations/{distillation_id}/bundle").content)
        # It started from means of patients' images, drawn from a published seed, in floats.
        refused = steward.post(
            f"/distillations/{distillation_id}/releases",
            json={"title": "Chest", "summary": "Two classes.", "contact": "data@st-anna.example"},
        )
        assert refused.status_code == 409, refused.text
        assert "published seed" in refused.json()["detail"]
        assert "floating-point" in refused.json()["detail"]

    code, lines = verify_bundle(bundle)
    assert code == GOOD, lines
    distilled = iadd.load_bundle(bundle)
    assert (len(distilled), distilled.images.shape[1:]) == (4, (1, 112, 112))
