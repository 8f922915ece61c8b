import json
import threading
from pathlib import Path

import pytest

from iadd.dp.accountant import Mechanism, epsilon_of, sampled_gaussian
from iadd.dp.ledger import (
    Budget,
    BudgetExceededError,
    Event,
    FileLedgerStore,
    Ledger,
    MemoryLedgerStore,
)

DELTA = 1e-5
# 100 steps at ε = 3.
STEP = sampled_gaussian(1.675, 0.1)


def steps(run: str, count: int = 100) -> Event:
    return Event(kind="budgeted", purpose="teacher gradients", run=run, mechanism=STEP, count=count)


def test_two_releases_compose_and_deleting_one_changes_nothing(tmp_path: Path) -> None:
    ledger = Ledger(FileLedgerStore(tmp_path / "ledger.jsonl"))
    ledger.book(steps("first"))
    (tmp_path / "first").mkdir()  # what a run leaves
    alone = ledger.epsilon(DELTA)
    ledger.book(steps("second"))
    both = ledger.epsilon(DELTA)
    assert alone == pytest.approx(3, rel=0.01)
    assert both == pytest.approx(epsilon_of({STEP: 200}, DELTA))
    assert alone < both < 2 * alone
    (tmp_path / "first").rmdir()
    assert Ledger(FileLedgerStore(tmp_path / "ledger.jsonl")).epsilon(DELTA) == both
    assert ledger.epsilon(DELTA, run="second") == alone
    assert not {"remove", "delete", "clear", "replace"} & {*dir(ledger), *dir(ledger.store)}


def test_a_read_beyond_the_budget_is_refused_and_not_booked() -> None:
    ledger = Ledger(MemoryLedgerStore(), Budget(3.5, DELTA))
    ledger.book(steps("first"))
    with pytest.raises(BudgetExceededError, match="nothing was read"):
        ledger.book(steps("second"))
    assert len(ledger.events()) == 1


def test_a_plan_beyond_the_budget_is_refused_before_its_first_read() -> None:
    ledger = Ledger(MemoryLedgerStore(), Budget(3.5, DELTA))
    ledger.admit({STEP: 100})
    with pytest.raises(BudgetExceededError):
        ledger.admit({STEP: 200})
    assert not ledger.events()


def test_what_another_process_spent_meanwhile_counts(tmp_path: Path) -> None:
    budget, path = Budget(3.5, DELTA), tmp_path / "ledger.jsonl"
    one, other = (Ledger(FileLedgerStore(path), budget) for _ in range(2))
    one.admit({STEP: 100})
    other.book(steps("other"))
    with pytest.raises(BudgetExceededError):
        one.book(steps("one"))


def test_the_file_is_its_owners_alone_and_loses_no_event(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(FileLedgerStore(path))

    def book(number: int) -> None:
        for _ in range(20):
            ledger.book(steps(f"run {number}", 1))

    threads = [threading.Thread(target=book, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.events()) == 80
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_cut_short_by_a_crash_was_never_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(FileLedgerStore(path))
    ledger.book(steps("first"))
    with path.open("ab") as file:
        file.write(b'{"kind": "budg')
    assert [event.run for event in ledger.events()] == ["first"]
    ledger.book(steps("second"))
    assert [event.run for event in ledger.events()] == ["first", "second"]


def test_events_survive_json() -> None:
    event = Event(kind="public", purpose="number of units: train", run="r", released=12.0)
    for one in (event, steps("r")):
        assert Event.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_kind_and_mechanism_go_together() -> None:
    with pytest.raises(ValueError, match="mechanism"):
        Event(kind="budgeted", purpose="p", run="r")
    with pytest.raises(ValueError, match="mechanism"):
        Event(kind="fatal", purpose="p", run="r", mechanism=Mechanism("laplace", 1.0))
