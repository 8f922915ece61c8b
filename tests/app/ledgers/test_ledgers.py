"""What the owner of a dataset sees of its ledger, and what a release of a proven set says."""

import pytest

from app.ledgers.store import (
    AUDITED_DISTILLATION,
    TRAINING,
    DatabaseLedgerStore,
    book_exact_reads,
)
from iadd.config import Config
from iadd.dp.accountant import epsilon_of
from iadd.dp.ledger import Event
from tests.fixtures.portal import PortalHarness, distilled_bundle
from tests.fixtures.proven import DELTA, RATE, STEPS, book_run, proven_distillation


def test_its_owner_sees_every_read_and_what_all_have_spent(portal: PortalHarness) -> None:
    dataset_id = portal.ready_dataset()
    empty = portal.researcher.get(f"/datasets/{dataset_id}/ledger").json()
    assert (empty["epsilon"], empty["runs"], empty["reads"]) == (0.0, [], [])
    one, other = book_run(portal, dataset_id, "one"), book_run(portal, dataset_id, "other", 2.0)

    ledger = portal.researcher.get(f"/datasets/{dataset_id}/ledger").json()

    assert ledger["epsilon"] == pytest.approx(epsilon_of({one: STEPS, other: STEPS}, DELTA))
    assert [run["run"] for run in ledger["runs"]] == ["one", "other"]
    assert ledger["runs"][0]["epsilon"] == pytest.approx(3.0, rel=1e-2)
    assert [read["count"] for read in ledger["reads"]] == [STEPS, STEPS]
    assert ledger["reads"][0]["mechanism"]["rate"] == RATE
    refused = portal.researcher.get(f"/datasets/{dataset_id}/ledger", params={"delta": 1})
    assert refused.status_code == 422


def test_runs_without_a_proof_are_counted_as_not_covered(portal: PortalHarness) -> None:
    dataset_id = portal.ready_dataset()
    for run in ("dl_one", "dl_one", "tr_two"):
        purpose = TRAINING if run == "tr_two" else AUDITED_DISTILLATION
        book_exact_reads(portal.database, dataset_id, run=run, purpose=purpose)

    ledger = portal.researcher.get(f"/datasets/{dataset_id}/ledger").json()

    assert ledger["not_covered"] == 2
    assert [(read["run"], read["kind"], read["count"]) for read in ledger["reads"]] == [
        ("dl_one", "fatal", 1),
        ("tr_two", "fatal", 1),
    ]


def test_two_releases_of_one_dataset_compose_and_nothing_is_unspent(portal: PortalHarness) -> None:
    first_id = proven_distillation(portal, 3.0)
    dataset_id = portal.row(first_id).dataset_id
    one = book_run(portal, dataset_id, "one")
    body = {"title": "Proven", "summary": "A set with a proof.", "contact": "a@example.org"}

    made = portal.steward.post(f"/distillations/{first_id}/releases", json=body)
    assert made.status_code == 201, made.text
    facts = made.json()["facts"]
    assert facts["privacy"]["proof"]["epsilon"] == pytest.approx(3.0, rel=1e-2)
    assert made.json()["balanced_accuracy"] is None
    assert facts["noisy_score"]["accuracy"] == 0.81

    book_run(portal, dataset_id, "other")
    both = epsilon_of({one: 2 * STEPS}, DELTA)
    assert both > 4
    made = portal.steward.post(f"/distillations/{first_id}/releases", json=body).json()
    assert made["facts"]["privacy"]["proof"]["epsilon"] == pytest.approx(both)
    assert f"ε = {both:.3g} together" in made["facts"]["privacy"]["statement"]

    assert portal.steward.delete(f"/distillations/{first_id}").status_code == 204
    ledger = portal.researcher.get(f"/datasets/{dataset_id}/ledger").json()
    assert ledger["epsilon"] == pytest.approx(both)


def test_more_than_the_policy_allows_is_not_released(portal: PortalHarness) -> None:
    distillation_id = proven_distillation(portal, 3.0)
    book_run(portal, portal.row(distillation_id).dataset_id, "one", 9.0)
    body = {"title": "Proven", "summary": "A set with a proof.", "contact": "a@example.org"}

    refused = portal.steward.post(f"/distillations/{distillation_id}/releases", json=body)

    assert refused.status_code == 409
    assert "releases up to 8" in refused.json()["detail"]


def test_a_run_that_read_images_without_noise_since_has_no_proof_any_more(
    portal: PortalHarness,
) -> None:
    distillation_id = proven_distillation(portal, 3.0)
    dataset_id = portal.row(distillation_id).dataset_id
    _, report = distilled_bundle()
    run = Config.from_dict(report["settings"]).teacher_key()
    store = DatabaseLedgerStore(portal.database, dataset_id)
    store.append(Event(kind="fatal", purpose="audit", run="internal: audit"))
    assert portal.release(distillation_id=distillation_id)["verdict"] == "proven"

    store.append(Event(kind="fatal", purpose="refused: images", run=run))
    body = {"title": "Proven", "summary": "A set with a proof.", "contact": "a@example.org"}
    refused = portal.steward.post(f"/distillations/{distillation_id}/releases", json=body)
    assert refused.status_code == 409
    assert "nothing proves it" in refused.json()["detail"]
