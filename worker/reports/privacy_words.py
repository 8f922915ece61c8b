"""Puts the numbers of a privacy audit into words, once for the report and the certificate.

Every function takes a part of the document's `privacy`, as JSON; parts that an earlier version did
not write are missing there.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from worker.reports.formatting import NOT_MEASURED, number

Json = Mapping[str, Any]

ATTACK_WORDS = {
    "lira": "confidence of networks trained on the set, against networks without the record (LiRA)",
    "rmia": "confidence, relative to that on other records (RMIA)",
    "loss": "loss of networks trained on the set",
    "gradient": "direction of the gradient at the record",
    "nearest": "distance to the nearest distilled image",
    "matched_filter": "matched filter: traces of the record in the distilled images",
}
"""Attack by stable name; others are named by their title."""

STARTS = {
    "real": "Each distilled image started from one patient's X-ray.",
    "k_mean": (
        "Each distilled image started from the mean of several X-rays: whoever holds candidate "
        "X-rays can find those that were averaged."
    ),
    "noise": "The distilled images started from noise, which says nothing about a patient.",
    "dp_mean": (
        "The distilled images started from class means with added noise, under differential "
        "privacy."
    ),
    "public": (
        "The distilled images started from generated chests, which show no patient of this dataset."
    ),
}

RANDOMNESS = {
    "secret": (
        "Secret: starts, mini-batches and augmentation were drawn from a seed that is published "
        "nowhere. The published seed reproduces the evaluation only."
    ),
    "published": (
        "Published: starts, mini-batches and augmentation follow from the published seed. Whoever "
        "holds candidate X-rays can repeat the draws and look for them."
    ),
}

IMAGE_FORMATS = {
    "8bit": "256 grey levels: the images that were audited are the images that leave.",
    "float": (
        "Numbers of any size. The audit looks at 256 grey levels only, so what is hidden below a "
        "grey level was not audited."
    ),
}


UNSHOWN = (
    "Attacks and comparisons were run inside the organisation. Their figures follow from the "
    "images without noise, and are not shown: the bound rests on none of them."
)
"""Why a proven set comes without figures of an audit."""


def people(unit: str | None, *, one: bool = False) -> str:
    """Name the audit unit: patients where they are known."""
    name = "patient" if unit == "patient" else "image"
    return name if one else f"{name}s"


def percent(share: float | None) -> str:
    """Format a share: 0.3%, 5%, 36%. Below 10% with one digit where it says more; none below 0."""
    if share is None:
        return NOT_MEASURED
    value = 100 * share
    if value < 0.1:
        return "0%" if value <= 0 else "under 0.1%"
    digits = 1 if value < 10 or value > 99 else 0
    text = f"{value:.{digits}f}"
    return f"{text.removesuffix('.0')}%"


def percent_interval(bounds: Sequence[float] | None) -> str:
    """Format an interval of shares."""
    if bounds is None or None in bounds:
        return NOT_MEASURED
    return f"{percent(bounds[0])} to {percent(bounds[1])}"


def chance_words(chance: float) -> str:
    """Say how often: 4 times out of 5."""
    return "4 times out of 5" if math.isclose(chance, 0.8) else f"{percent(chance)} of the time"


def has_power(privacy: Json) -> bool:
    """Return True if the power belongs to the set that is shipped."""
    power = privacy.get("power")
    return power is not None and not power["reduced"]


def power_sentence(privacy: Json) -> str:
    """Say in one sentence the smallest leak that the attacks would have found."""
    power = privacy.get("power")
    if not power:
        return (
            "Power: none. No membership attack of known power was run, so it is unknown which leak "
            "would have been found."
        )
    leak = (
        f"a leak of {percent(power['tpr'])} or more (of the {people(power['unit'])} used, that "
        f"share recognised at {percent(power['fpr'])} false alarms) "
        f"{chance_words(power['chance'])}"
    )
    if power["reduced"]:
        return (
            f"Power: none for this set. The attacked runs had smaller settings; on those, {leak} "
            "would have been found."
        )
    return f"Power: the attacks would have found {leak}."


def power_source(privacy: Json) -> str:
    """Say where the power comes from."""
    power = privacy.get("power")
    if not power:
        return ""
    units = f"{number(power['units'])} {people(power['unit'])}"
    if power["tier"] == 0:
        return (
            f"One test run: the set itself, attacked with {units} as candidates, some used in "
            "training and some held out by chance."
        )
    return (
        f"{number(power['runs'])} test runs of the whole pipeline, with other secret seeds, in "
        f"each of which {units} were in or out by a fair coin; thresholds come from other runs. "
        f"Design effect {power['deff']:.3g}: how much more the results vary between runs than "
        "coins would."
    )


def frequency(attack: Json, unit: str | None) -> str:
    """Say what an attack achieves in numbers of people, which are read more easily than rates."""
    low, high = attack["tpr_interval"]
    return (
        f"Of 1,000 {people(unit)} used, {_of_1000(attack['tpr'])} are recognised (95%: "
        f"{_of_1000(low)} to {_of_1000(high)}); of 1,000 not used, {_of_1000(attack['fpr'])} are "
        "taken for used. Without a leak: equally many."
    )


def title_of(attack: Json) -> str:
    """Name an attack and its stratum."""
    stratum = stratum_of(attack["stratum"])
    return attack["title"] if not stratum else f"{attack['title']}, {stratum}"


def stratum_of(name: str) -> str:
    """Name a stratum; the whole needs no name."""
    if name.startswith("class:"):
        return f"class {name.removeprefix('class:')}"
    return {"all": "", "contributors": "contributors of the starts", "outliers": "outliers"}.get(
        name, name
    )


def worst(attacks: Sequence[Json]) -> Json | None:
    """Return the attack to worry about most: refuted first, then by the upper bound."""
    if not attacks:
        return None
    return max(attacks, key=lambda row: (row["outcome"] == "refuted", row["tpr_interval"][1]))


def tpr_bound(proof: Json, fpr: float = 0.01) -> float:
    """Return the largest share of members that any attack finds at `fpr` false alarms.

    Under (ε, δ): min(e^ε·fpr + δ, 1 − e^−ε·(1 − fpr − δ)) (Kairouz, Oh and Viswanath 2015,
    arXiv 1311.0776, theorem 2.1).
    """
    epsilon, delta = float(proof["epsilon"]), float(proof["delta"])
    above = 1 - math.exp(-epsilon) * (1 - fpr - delta)
    # e^ε overflows for an ε that bounds nothing.
    return min(above, math.exp(epsilon) * fpr + delta) if epsilon < 50 else above


LOOSE = 0.5
"""A bound on the share of members found above which a proof excludes little."""


def decimal(value: float) -> str:
    """Write a small number with all its zeros: 0.00001."""
    text = f"{value:.12f}".rstrip("0")
    return text if float(text) == value else f"{value:.3g}"


def proof_sentence(proof: Json) -> str:
    """Say what differential privacy guarantees, and compare it with what was measured."""
    bound = tpr_bound(proof)
    guarantee = (
        f"By differential privacy (ε = {proof['epsilon']:.3g}, δ = {decimal(proof['delta'])}, per "
        f"{people(proof['unit'], one=True)}), no attack whatever recognises more than "
        f"{percent(bound)} of the {people(proof['unit'])} used in training at 1% false alarms."
    )
    if bound > LOOSE:
        guarantee += " So large a bound excludes little."
    return guarantee


def attempts_sentence(attempts: int | None) -> str:
    """Say how many audits this dataset has seen."""
    if attempts is None:
        return (
            "Number of audits of this dataset: not counted. A set chosen among many is worth less."
        )
    if attempts == 1:
        return "This is the first audit of this dataset: no set was chosen among several."
    return (
        f"This is audit number {number(attempts)} of this dataset. A set chosen among "
        f"{number(attempts)} is worth less than its own figures say: one of many passes by chance "
        "more easily than a single one."
    )


def audited_epsilon_sentence(proof: Json) -> str:
    """Compare the accountant's upper bound with the audited lower bound."""
    audited = proof.get("audited_epsilon")
    if audited is None:
        return "The claimed ε was not audited by an attack."
    if audited > proof["epsilon"]:
        return (
            f"An audit measured ε ≥ {audited:.3g}, above the claimed {proof['epsilon']:.3g}: the "
            "proof does not hold, and there is an error in it."
        )
    return (
        f"Accountant: ε ≤ {proof['epsilon']:.3g} (upper bound). One-run audit: ε ≥ {audited:.3g} "
        f"(lower bound, 95%).{_guesses_sentence(proof)} The audit does not contradict the proof; "
        "the truth lies between."
    )


def _guesses_sentence(proof: Json) -> str:
    if not proof.get("canaries"):
        return ""
    return (
        f" A coin decided of each of {number(proof['canaries'])} artificial images, which are "
        "nobody's, whether it joined the training; an attacker who knew them and all teachers "
        f"guessed {number(proof['guesses'])} of these coins, "
        f"{number(proof['right'])} of them right."
    )


def _of_1000(share: float) -> str:
    count = 1000 * share
    return f"{count:.0f}" if count >= 1 or count == 0 else "fewer than 1"
