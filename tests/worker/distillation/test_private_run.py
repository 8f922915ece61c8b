"""A distillation under differential privacy, by real workers: what leaves, and what is booked."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from app.background.sweeper import sweep
from app.distillations.repository import DistillationRepository
from app.ledgers.store import DatabaseLedgerStore
from app.models import DistillationStatus, Verdict
from app.releases.row import PUBLIC
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.dp.ledger import Ledger
from tests.fixtures.squares import draw_squares
from tests.worker.reports.read_formats import letters_of_pdf

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

pytestmark = pytest.mark.slow

READY = DistillationStatus.READY
PRIVATE = {
    "width": 4,
    "teachers": 1,
    "teacher_batch_size": 10,
    "teacher_lr": 0.5,
    "declared_patients": 40,
    "epsilon": 3.0,
    "iterations": 4,
    "canaries": 24,
}


def add_private(harness: "WorkerHarness", dataset_id: str, **changes: Any) -> str:
    return harness.add_distillation(
        dataset_id, preset="cpu_dp", initialisation="public", **PRIVATE | changes
    )


def ledger_of(harness: "WorkerHarness", dataset_id: str) -> Ledger:
    return Ledger(DatabaseLedgerStore(harness.database, dataset_id))


def exact_figures(document: Any) -> Iterator[float]:
    """Every measured number that chance would not repeat: one with many digits."""
    if isinstance(document, dict):
        # α was learned from the teachers, and is published with the set.
        for name, value in document.items():
            if name != "lr":
                yield from exact_figures(value)
    elif isinstance(document, list):
        for value in document:
            yield from exact_figures(value)
    elif isinstance(document, float) and len(repr(document)) >= 10:
        yield document


def numbers_of(text: str) -> set[str]:
    """Every number in a text, pictures left out."""
    plain = re.sub(r"data:image/[^\"]*", "", text)
    return set(re.findall(r"\d+\.\d+(?:e-?\d+)?", plain))


@pytest.fixture(scope="module")
def odd_squares() -> ImageSet:
    """As `squares`, with 37 test images, so that shares of them have many digits."""
    return draw_squares(40, 6, 37, dark=160, light=60)


def test_nothing_exact_leaves(harness: "WorkerHarness", odd_squares: ImageSet) -> None:
    dataset_id = harness.add_dataset(odd_squares, split_by="image")
    row = harness.wait_for(add_private(harness, dataset_id), READY)

    assert row.verdict == Verdict.PROVEN
    report = json.loads(harness.stored(row.report_json_key))
    ledger = ledger_of(harness, dataset_id)
    proof = report["privacy"]["proof"]
    assert proof["epsilon"] == pytest.approx(ledger.epsilon(1e-5), rel=1e-6)
    assert (proof["delta"], proof["unit"]) == (1e-5, "image")
    assert report["noisy_score"]["epsilon"] == 0.1
    # The accountant's upper bound stands beside the lower one of the run's own canaries.
    assert (proof["canaries"], proof["guesses"]) == (24, 12)
    assert 0 <= proof["audited_epsilon"] <= proof["epsilon"]
    page = harness.stored(row.report_html_key).decode()
    assert f"guessed 12 of these coins, {proof['right']} of them right" in page

    evaluation = json.loads(harness.stored(row.evaluation_key))
    del evaluation["noisy_score"]
    audit = json.loads(harness.stored(row.privacy_key))
    assert audit.pop("proof") == proof
    internal = harness.stored(row.internal_html_key).decode()
    exact = evaluation["full"]["balanced_accuracy"]["mean"]
    assert f"{exact:.3f}" in internal

    public = {
        "report.json": harness.stored(row.report_json_key).decode(),
        "report.html": harness.stored(row.report_html_key).decode(),
        "certificate.json": harness.stored(f"distillations/{row.id}/certificate.json").decode(),
        "facts": json.dumps({name: report[name] for name in PUBLIC if name in report}),
    }
    with zipfile.ZipFile(io.BytesIO(harness.stored(row.bundle_key))) as bundle:
        for name in bundle.namelist():
            if name.endswith((".json", ".md", ".html")):
                public[f"bundle/{name}"] = bundle.read(name).decode()
            if name.endswith(".pdf"):
                public[f"bundle/{name}"] = letters_of_pdf(bundle.read(name))
    figures = {*exact_figures(evaluation), *exact_figures(audit)}
    assert len(figures) > 50
    assert {json.dumps(figure) for figure in figures} & numbers_of(json.dumps(evaluation))
    for name, text in public.items():
        found = numbers_of(text) & {json.dumps(figure) for figure in figures}
        assert not found, (name, found)
        # Pages round figures: no mean of several networks is on one.
        assert "±" not in text, name
    # What none of these documents has a place for.
    for name in ("utility", "roc", "dataset", "timings"):
        assert set(report.get(name) or {}) <= {"distilled", "name", "classes", "split_by"}
    assert report["utility"] == {"distilled": {"training_images": 4}}
    assert report["dataset"]["classes"] == {"dark": {}, "light": {}}
    assert report["dataset"]["split_by"] is None
    assert report["privacy"]["metrics"] == report["privacy"]["controls"] == []
    assert report["privacy"]["counts"] == {"distilled": 4}
    for text in public.values():
        shown = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
        words = "confusion|held-out images|Training</th>|false_positive_rate"
        assert not re.search(words, shown)

    purposes = {event.purpose: event for event in ledger.events() if event.kind == "fatal"}
    assert set(purposes) == {"exact evaluation", "audit", "internal report"}
    run = Config.from_dict(row.settings or {}).teacher_key()
    assert all(event.run != run for event in purposes.values())


def test_a_killed_worker_pays_again_for_the_steps_it_lost(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    harness = own_harness
    dataset_id = harness.add_dataset(squares)
    # Checkpoints are far apart, so that steps are lost.
    harness.environment["EXCHANGE_CHECKPOINT_SECONDS"] = "600"
    worker = harness.start_worker()
    row_id = add_private(harness, dataset_id, teacher_epochs=60, max_start_epoch=2)

    def steps() -> int:
        events = ledger_of(harness, dataset_id).events()
        return sum(event.purpose.startswith("gradients") for event in events)

    harness.until(lambda: steps() >= 20, "some steps are taken")
    harness.kill_worker(worker)
    lost = steps()
    harness.start_worker()

    def ended() -> bool:
        sweep(harness.portal)
        return harness.row(row_id).status.is_final

    harness.until(ended, "another worker has finished it", seconds=120)
    row = harness.row(row_id)
    assert row.status == READY, row.problem

    planned = 60 * 4
    assert steps() >= planned
    assert steps() - planned in range(lost - 1, lost + 2)
    run = Config.from_dict(row.settings or {}).teacher_key()
    # The rest got more noise: the teachers stay within ε, the score and its count come on top.
    spent = ledger_of(harness, dataset_id).epsilon(1e-5, run=run)
    assert spent < 3.0 + 0.1 + 0.05


def test_runs_compose_and_what_is_deleted_stays_booked(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset_id = harness.add_dataset(squares)
    first = harness.wait_for(add_private(harness, dataset_id), READY)
    alone = json.loads(harness.stored(first.report_json_key))["privacy"]["proof"]["epsilon"]
    with harness.database.transaction() as session:
        repository = DistillationRepository(session)
        row = repository.load(first.id)
        assert row is not None
        repository.mark_deleted(row)
    second = harness.wait_for(add_private(harness, dataset_id, epsilon=3.0001), READY)
    both = json.loads(harness.stored(second.report_json_key))["privacy"]["proof"]

    assert 3.0 <= alone < 3.2
    assert both["epsilon"] > 1.3 * alone
    assert both["epsilon"] == pytest.approx(ledger_of(harness, dataset_id).epsilon(1e-5), rel=1e-6)
    assert "This run alone: ε = 3" in both["events"][0]


def test_equal_settings_share_teachers_and_pay_for_them_once(
    harness: "WorkerHarness", squares: ImageSet
) -> None:
    dataset_id = harness.add_dataset(squares)
    first = harness.wait_for(add_private(harness, dataset_id), READY)
    alone = ledger_of(harness, dataset_id).epsilon(1e-5)
    second = harness.wait_for(add_private(harness, dataset_id, iterations=3), READY)

    assert first.trajectory_set_id == second.trajectory_set_id
    # Another score was asked for, and nothing else.
    assert alone < ledger_of(harness, dataset_id).epsilon(1e-5) < alone + 0.11
