"""States what a ledger proves of a distilled set."""

from collections import Counter
from collections.abc import Sequence

from iadd.config import Config
from iadd.dp.accountant import accountant_name
from iadd.dp.ledger import INTERNAL, Event, Ledger, counts_of
from iadd.privacy.one_run_audit import OneRunAudit
from iadd.privacy.report import PrivacyReport, Proof, Unit
from iadd.privacy.verdict import IMAGES_ALONE

_SHOWN = 20


class ProofVoidError(ValueError):
    """The ledger proves nothing of this set. The message says why."""


def proof_of(
    ledger: Ledger, config: Config, *, unit: Unit, audited: OneRunAudit | None = None
) -> Proof:
    """Prove the differential privacy of a set from the ledger of its dataset.

    ε is what all runs on the dataset have spent so far, since whoever chose this set may have seen
    the others. Exact reads are listed and not counted: those that stayed inside, since a set
    that is released must not depend on them, and those of sets without a proof.

    Args:
        ledger: Ledger of the dataset.
        config: Settings of the run; its reads are booked under ``teacher_key()``.
        unit: ``patient`` or ``image``, as :attr:`PrivateData.unit` says.
        audited: What the run's own canaries say, if it had any.

    Raises:
        ProofVoidError: When the run is not private, booked nothing, added no noise, or read images
            outside the budget.
    """
    if config.protection.privacy != "dp":
        raise ProofVoidError("The run was not made under privacy dp.")
    events, run = ledger.events(), config.teacher_key()
    own = [event for event in events if event.run == run]
    if not counts_of(own):
        raise ProofVoidError("The ledger holds no read of this run: it is another dataset's.")
    fatal = sorted({event.purpose for event in own if event.kind == "fatal"})
    if fatal:
        raise ProofVoidError(f"The run read images outside the budget: {', '.join(fatal)}.")
    delta = config.protection.delta
    epsilon = ledger.epsilon(delta)
    if epsilon == float("inf"):
        raise ProofVoidError("A read of this dataset was booked without noise.")
    return Proof(
        epsilon=epsilon,
        delta=delta,
        unit=unit,
        accountant=accountant_name(),
        audited_epsilon=None if audited is None else audited.epsilon,
        canaries=0 if audited is None else audited.canaries,
        guesses=0 if audited is None else audited.guesses,
        right=0 if audited is None else audited.right,
        events=tuple(_in_words(events, run, ledger.epsilon(delta, run=run))),
    )


def proven_report(
    proof: Proof, *, distilled: int, leak_limit: float, attempts: int | None = None
) -> PrivacyReport:
    """Write the privacy report that may leave: the proof, and nothing that was measured on images.

    Canaries are nobody's images, so that what the one-run audit says of them may leave. Comparisons
    and attacks read the images without noise, so that each of their figures would void the proof.

    Args:
        proof: The proof.
        distilled: Number of distilled images.
        leak_limit: The limit of the settings, which nothing was compared with.
        attempts: Audits of this dataset so far, this one included.
    """
    sentences = [
        proof.statement,
        "Nothing that was measured on the images without noise is shown here.",
        *([IMAGES_ALONE] if proof.unit == "image" else []),
    ]
    return PrivacyReport(
        verdict="proven" if proof.holds else "refuted",
        statement=" ".join(sentences),
        metrics=(),
        controls=(),
        counts={"distilled": distilled},
        embedding="none",
        proof=proof,
        leak_limit=leak_limit,
        unit=proof.unit,
        attempts=attempts,
    )


def start_guarantee(config: Config, *, unit: Unit) -> str | None:
    """Say what protects a ``dp_mean`` start by itself, in an audited run too; None for others."""
    if config.distillation.initialisation != "dp_mean":
        return None
    protection = config.protection
    return (
        f"The initial images are differentially private by themselves, for each {unit}: "
        f"ε = {config.distillation.start_epsilon:g}, δ = {protection.delta:g}. What the "
        "distillation learned after them is not covered by this."
    )


def _in_words(events: Sequence[Event], run: str, own: float) -> list[str]:
    lines = [f"This run alone: ε = {own:.3g}"]
    counts: Counter[tuple[str, str]] = Counter()
    internal: Counter[str] = Counter()
    unproven: Counter[str] = Counter()
    for event in events:
        whose = "this run" if event.run == run else "other runs"
        if event.mechanism is not None:
            # Without the name of a recording, which says nothing to a reader.
            counts[event.purpose.split(", recording")[0] + _noise(event), whose] += event.count
        elif event.kind == "fatal" and event.run.startswith(INTERNAL):
            internal[event.purpose] += event.count
        elif event.kind == "fatal":
            unproven[event.purpose] += event.count
    lines += [f"{what}, {n} times, {whose}" for (what, whose), n in sorted(counts.items())][:_SHOWN]
    lines += [
        f"Not counted, since nothing released depends on it: {what}, {n} times"
        for what, n in sorted(internal.items())
    ][:_SHOWN]
    lines += [
        f"Not covered by ε, so that nothing bounds both together if it is shared too: {what}, "
        f"{n} times"
        for what, n in sorted(unproven.items())
    ][:_SHOWN]
    return lines


def _noise(event: Event) -> str:
    mechanism = event.mechanism
    assert mechanism is not None, "a budgeted event has one"
    kind = "Laplace noise" if mechanism.name == "laplace" else "Gaussian noise"
    sample = "" if mechanism.rate == 1 else f" on a sample of {mechanism.rate:.2%}"
    return f": {kind} of {mechanism.noise:.3g} times the clipping norm{sample}"
