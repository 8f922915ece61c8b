import pytest

from iadd.config import Config
from iadd.dp.accountant import Mechanism, epsilon_of, sampled_gaussian
from iadd.dp.ledger import Event, Ledger, MemoryLedgerStore
from iadd.privacy.one_run_audit import OneRunAudit
from iadd.privacy.proof import ProofVoidError, proof_of, proven_report, start_guarantee
from iadd.privacy.report import PrivacyReport

AUDIT = OneRunAudit(epsilon=0.2, right=27, guesses=50, canaries=100)
STEP = sampled_gaussian(3.0, 0.1)


@pytest.fixture
def config() -> Config:
    return Config().override({"privacy": "dp", "validate_every": 0})


def book(ledger: Ledger, run: str, mechanism: Mechanism = STEP, count: int = 50) -> None:
    purpose = "gradients of teacher 0, recording 0123456789abcdef"
    ledger.book(Event(kind="budgeted", purpose=purpose, run=run, mechanism=mechanism, count=count))


def test_a_proof_counts_what_all_runs_on_the_dataset_spent(config: Config) -> None:
    ledger = Ledger(MemoryLedgerStore())
    run, another = config.teacher_key(), config.override({"seed": 1}).teacher_key()
    book(ledger, run)
    alone = proof_of(ledger, config, unit="patient")
    assert alone.epsilon == epsilon_of({STEP: 50}, config.protection.delta)
    assert (alone.unit, alone.audited_epsilon) == ("patient", None)
    assert alone.accountant.startswith("dp-accounting")
    book(ledger, another)
    together = proof_of(ledger, config, unit="patient", audited=AUDIT)
    assert together.epsilon == epsilon_of({STEP: 100}, config.protection.delta)
    assert together.audited_epsilon == 0.2
    assert (together.canaries, together.guesses, together.right) == (100, 50, 27)
    text = "\n".join(together.events)
    assert f"ε = {alone.epsilon:.3g}" in text
    assert "50 times, this run" in text
    assert "50 times, other runs" in text
    assert "0123456789abcdef" not in text


def test_the_report_that_may_leave_holds_the_proof_and_nothing_measured(config: Config) -> None:
    ledger = Ledger(MemoryLedgerStore())
    book(ledger, config.teacher_key())
    proof = proof_of(ledger, config, unit="image")
    report = proven_report(proof, distilled=6, leak_limit=0.05, attempts=2)
    assert (report.verdict, report.proof, report.unit) == ("proven", proof, "image")
    assert (report.metrics, report.controls, report.attacks, report.power) == ((), (), (), None)
    assert report.counts == {"distilled": 6}
    assert PrivacyReport.from_dict(report.to_dict()) == report


def test_what_stays_inside_is_listed_and_not_counted(config: Config) -> None:
    ledger = Ledger(MemoryLedgerStore())
    book(ledger, config.teacher_key())
    before = proof_of(ledger, config, unit="image").epsilon
    ledger.book(Event(kind="fatal", purpose="privacy audit", run="internal: privacy audit"))
    proof = proof_of(ledger, config, unit="image")
    assert proof.epsilon == before
    assert any("Not counted" in line and "privacy audit" in line for line in proof.events)


def test_there_is_no_proof_after_a_fatal_read_without_reads_or_without_noise(
    config: Config,
) -> None:
    ledger, run = Ledger(MemoryLedgerStore()), config.teacher_key()
    with pytest.raises(ProofVoidError, match="no read"):
        proof_of(ledger, config, unit="image")
    book(ledger, run, Mechanism("gaussian", 0.0))
    with pytest.raises(ProofVoidError, match="without noise"):
        proof_of(ledger, config, unit="image")
    ledger = Ledger(MemoryLedgerStore())
    book(ledger, run)
    ledger.book(Event(kind="fatal", purpose="refused: images", run=run))
    with pytest.raises(ProofVoidError, match="refused: images"):
        proof_of(ledger, config, unit="image")
    with pytest.raises(ProofVoidError, match="privacy dp"):
        proof_of(ledger, Config(), unit="image")


def test_a_dp_mean_start_says_what_protects_it() -> None:
    config = Config().override({"initialisation": "dp_mean", "start_epsilon": 0.5})
    said = start_guarantee(config, unit="image")
    assert said is not None
    assert "ε = 0.5, δ = 1e-05" in said
    assert start_guarantee(Config(), unit="image") is None


def test_a_proof_names_exact_reads_and_whether_what_came_of_them_may_leave(config: Config) -> None:
    ledger = Ledger(MemoryLedgerStore())
    book(ledger, config.teacher_key())
    ledger.book(Event(kind="fatal", purpose="audit", run="internal: audit"))
    ledger.book(Event(kind="fatal", purpose="audited distillation", run="dl_1"))
    proof = proof_of(ledger, config, unit="patient")
    inside, shared = proof.events[-2:]
    assert inside == "Not counted, since nothing released depends on it: audit, 1 times"
    assert shared.startswith("Not covered by ε")
    assert "audited distillation, 1 times" in shared


def test_a_proof_that_its_canaries_contradict_is_refuted(config: Config) -> None:
    ledger = Ledger(MemoryLedgerStore())
    book(ledger, config.teacher_key(), count=1)
    found = OneRunAudit(epsilon=4.0, right=50, guesses=50, canaries=100)
    proof = proof_of(ledger, config, unit="patient", audited=found)
    report = proven_report(proof, distilled=3, leak_limit=0.05)
    assert report.verdict == "refuted"
    assert "The proof does not hold" in report.statement
