"""What the tests for triggers found, and what they do not cover."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

TestName = Literal["trigger", "spectral", "patch"]
Outcome = Literal["flagged", "clear", "not_run"]

NOT_COVERED = (
    "Triggers that are no patch (a blend over the whole image, a warp, a change of style, a "
    "frequency), triggers of more than a tenth of the image, poisons with correct labels that only "
    "act on certain patients, attackers who know these tests and avoid them, triggers that need "
    "another network than the ones trained here, and sets with few images per class, where the "
    "features cannot be searched at all. Nothing found is no proof that there is nothing."
)


@dataclass(frozen=True)
class PoisonTest:
    """One test of one class.

    Attributes:
        name: ``trigger``, ``spectral`` or ``patch``.
        title: Title for people.
        class_name: The class, or empty for all.
        value: The measured value; None where nothing was measured.
        limit: Value from which on the test flags; below it for sizes.
        outcome: ``flagged``, ``clear`` or ``not_run``.
        explanation: Meaning of the numbers, or why it was not run.
        images: Numbers of the distilled images concerned, from 0.
    """

    name: TestName
    title: str
    class_name: str
    value: float | None
    limit: float
    outcome: Outcome
    explanation: str
    images: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PoisonReport:
    """The result of looking for triggers.

    Attributes:
        tests: All tests, by kind and class.
        probes: Images that triggers were tried on.
        own_probes: Whether these were the caller's own images.
        networks: Networks that were trained on the set.
    """

    tests: tuple[PoisonTest, ...]
    probes: int
    own_probes: bool
    networks: int

    @property
    def suspicious(self) -> bool:
        """True if any test flags."""
        return any(test.outcome == "flagged" for test in self.tests)

    @property
    def statement(self) -> str:
        """The result in words, with its limits."""
        flagged = [test for test in self.tests if test.outcome == "flagged"]
        if flagged:
            where = "; ".join(
                f"{test.title.lower()}{f' of {test.class_name}' if test.class_name else ''}"
                for test in flagged
            )
            return (
                f"Suspicious: {where}. Do not train on this set before somebody has looked at it. "
                "A clean set is flagged now and then."
            )
        skipped = sum(test.outcome == "not_run" for test in self.tests)
        return (
            f"Nothing was found by {len(self.tests) - skipped} tests; {skipped} could not be run."
        )

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types."""
        return {
            "suspicious": self.suspicious,
            "statement": self.statement,
            "not_covered": NOT_COVERED,
            "networks": self.networks,
            "probes": self.probes,
            "own_probes": self.own_probes,
            "tests": [{**asdict(test), "images": list(test.images)} for test in self.tests],
        }
