"""``certificate.json``: what was measured about privacy, for readers outside the organisation.

It follows from ``report.json`` alone, and holds no figure of a single image or patient. The three
questions are those of the Article 29 Working Party's opinion 05/2014 on GDPR recital 26.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from iadd.bundle.card import title_of
from worker.reports import conclusions
from worker.reports import privacy_words as words
from worker.reports.formatting import capital

Json = dict[str, Any]

FORMAT = 1

NO_CLAIM = (
    "This certificate is evidence, and no claim of compliance. It does not say that the set is "
    "outside the GDPR (recital 26) or de-identified under HIPAA. A person with appropriate "
    "knowledge of statistical methods can use these figures as the methods and results of an "
    "analysis under 45 CFR 164.514(b)(1), to determine and document whether the risk is very small "
    "that an anticipated recipient could identify an individual, alone or with other reasonably "
    "available information. That determination is theirs."
)

DECISION = (
    "This document is written when the set is measured, before anybody decides on a release. "
    "Whether a release needed an override of the policy, which two people approved it, and why, is "
    "in certificate.html, certificate.json and README.md of the signed release, and on its page."
)


class _Question(NamedTuple):
    """One of the three risks, with the attacks and metrics that ask for it, by prefix."""

    name: str
    title: str
    asks: str
    attacks: tuple[str, ...]
    metrics: tuple[str, ...]
    methods: str


_QUESTIONS = (
    _Question(
        "singling_out",
        "Singling out",
        "Can one patient's X-ray be isolated in the set: as a copy, or as a part of an image?",
        ("matched_filter",),
        (
            *("start_retention", "contributors", "exact_copies", "near_copies"),
            *("closest_record", "neighbour_ratio", "grid"),
        ),
        "matched filter for traces of single X-rays; search for copies",
    ),
    _Question(
        "linkability",
        "Linkability",
        "Can an image of the set be linked to a patient's X-ray that somebody else holds?",
        (),
        ("registered", "reidentification", "linkability"),
        "comparison after registration (shift, scale, rotation, mirror, polarity)",
    ),
    _Question(
        "inference",
        "Inference",
        "Can it be deduced that a patient's X-ray was used, and so something about the patient?",
        ("lira", "rmia", "loss", "gradient", "nearest"),
        ("attribute", "inference"),
        "membership inference: networks trained on the set judge each candidate",
    ),
)

_OTHER_WAYS = (
    "attackers with other means than candidate X-rays, such as access to the hospital's systems",
    "attacks that combine this set with other releases of the same patients",
    "attacks that nobody had published when the software was made",
    "whether a trigger for wrong predictions (a backdoor) was planted in the set",
)


def certificate_json(document: Mapping[str, Any], *, tensors_sha256: str) -> Json:
    """Write ``certificate.json``.

    Args:
        document: As :func:`worker.reports.report_json` wrote it, and so strict JSON.
        tensors_sha256: SHA-256 of the bundle's ``distilled.safetensors``: the set that this is
            the certificate of.
    """
    privacy = document["privacy"]
    tone, headline = conclusions.verdict(privacy)
    proof, power = privacy.get("proof"), privacy.get("power")
    return {
        "format": FORMAT,
        "kind": "privacy certificate",
        "dataset": title_of(document["dataset"]["classes"]),
        "date": document["asked_on"],
        "tensors_sha256": tensors_sha256,
        "images": {
            "distilled": privacy["counts"]["distilled"],
            "per_class": document["images_per_class"],
            "classes": len(document["dataset"]["classes"]),
            "pixels": document["settings"]["image_size"],
        },
        "verdict": privacy["verdict"],
        "tone": tone,
        "headline": headline,
        "sentence": sentence(privacy),
        "questions": [_answer(question, privacy) for question in _QUESTIONS],
        "unit": privacy.get("unit", "image"),
        "leak_limit": privacy.get("leak_limit"),
        "attacks": list(privacy.get("attacks") or []),
        "power": None
        if power is None
        else {
            **power,
            "sentence": words.power_sentence(privacy),
            "source": words.power_source(privacy),
        },
        "attempts": privacy.get("attempts"),
        "proof": None
        if proof is None
        else {
            **proof,
            "largest_tpr": words.tpr_bound(proof),
            "sentence": words.proof_sentence(proof),
        },
        "metrics": privacy["metrics"],
        "controls": privacy["controls"],
        "counts": privacy["counts"],
        "embedding": privacy["embedding"],
        "initialisation": document["initialisation"],
        "randomness": document.get("randomness"),
        "image_format": document.get("image_format"),
        "preset": document["preset"],
        "versions": document["versions"],
        "not_tried": list(_not_tried(privacy)),
        "no_claim": NO_CLAIM,
        "decision": DECISION,
    }


def sentence(privacy: Mapping[str, Any]) -> str:
    """Put the verdict into one sentence, with what it rests on."""
    strongest = words.worst(privacy.get("attacks") or [])
    used = f"the {words.people(privacy.get('unit'))} used in training"
    match privacy["verdict"]:
        case "refuted" if strongest is not None and strongest["outcome"] == "refuted":
            return (
                f"A leak was found: the attack “{words.title_of(strongest)}” recognises "
                f"{words.percent(strongest['tpr'])} of {used} at "
                f"{words.percent(strongest['fpr'])} false alarms."
            )
        case "refuted":
            proof = privacy.get("proof")
            if proof and (proof["audited_epsilon"] or 0) > proof["epsilon"]:
                return words.audited_epsilon_sentence(proof)
            refused = [
                f"“{metric['title']}”"
                for metric in privacy["metrics"]
                if metric["outcome"] == "refused"
            ]
            return f"The audit refuses the set, by {', '.join(refused) or 'its verdict'}."
        case "not_refuted" if strongest is not None and words.has_power(privacy):
            return (
                f"No leak was found: with 95% confidence, no attack tried recognises more than "
                f"{words.percent(strongest['tpr_interval'][1])} of {used} at 1% false alarms, "
                "where guessing finds 1%; attacks that were not tried may find more."
            )
        case "proven" if privacy.get("proof"):
            return words.proof_sentence(privacy["proof"])
        case "not_refuted":
            return (
                "Comparisons of images found no leak, but no membership attack of known power was "
                "run: how much an attacker could learn is unknown."
            )
    if strongest is None:
        return (
            "It is unknown how much an attacker could learn: no membership attack of known power "
            "was run."
        )
    upper = strongest["tpr_interval"][1]
    if upper > privacy["leak_limit"]:
        return (
            f"Too little was measured: up to {words.percent(upper)} of {used} might be recognised "
            f"at 1% false alarms, and the limit is {words.percent(privacy['leak_limit'])}."
        )
    return (
        "Too little was measured: no attack found a leak, but the attacks have no power for this "
        "set, or most comparisons could not have found one."
    )


def _answer(question: _Question, privacy: Mapping[str, Any]) -> Json:
    """Answer a question by the attacks and metrics that ask for it."""
    attacks = [row for row in privacy.get("attacks") or [] if row["name"] in question.attacks]
    metrics = [row for row in privacy["metrics"] if str(row["name"]).startswith(question.metrics)]
    strongest = words.worst(attacks)
    outcome = _outcome(attacks, metrics, privacy)
    return {
        "name": question.name,
        "title": question.title,
        "question": question.asks,
        "outcome": outcome,
        "answer": _ANSWERS[outcome],
        "attack": None if strongest is None else words.title_of(strongest),
        "tpr": None if strongest is None else strongest["tpr"],
        "tpr_interval": None if strongest is None else strongest["tpr_interval"],
        "fpr": None if strongest is None else strongest["fpr"],
        "probability": _probability(strongest, metrics, privacy),
        "evidence": _evidence(question, attacks, metrics, privacy),
    }


_ANSWERS = {
    "found": "Yes, a leak was found",
    "below_limit": "Below the limit, as far as tried",
    "bounded": "Bounded by proof",
    "loosely_bounded": "Bounded by proof, loosely",
    "nothing_found": "Nothing found; not excluded",
    "inconclusive": "Not known: inconclusive",
    "not_measured": "Not measured",
}


def _outcome(
    attacks: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]],
    privacy: Mapping[str, Any],
) -> str:
    able = [metric for metric in metrics if metric["outcome"] != "no_power"]
    refused = any(metric["outcome"] == "refused" for metric in metrics)
    if refused or any(row["outcome"] == "refuted" for row in attacks):
        return "found"
    if privacy["verdict"] == "proven" and (proof := privacy.get("proof")):
        return "bounded" if words.tpr_bound(proof) <= words.LOOSE else "loosely_bounded"
    if attacks:
        held = all(row["outcome"] == "not_refuted" for row in attacks)
        return "below_limit" if held and words.has_power(privacy) else "inconclusive"
    if any(metric["outcome"] == "warned" for metric in able):
        return "inconclusive"
    return "nothing_found" if able else "not_measured"


def _probability(
    strongest: Mapping[str, Any] | None,
    metrics: Sequence[Mapping[str, Any]],
    privacy: Mapping[str, Any],
) -> str:
    parts = []
    if privacy["verdict"] == "proven" and (proof := privacy.get("proof")):
        bound = words.percent(words.tpr_bound(proof))
        parts.append(f"By proof at most {bound} are recognised at 1% false alarms. Measured:")
    if strongest is not None:
        parts.append(words.frequency(strongest, privacy.get("unit")))
    shares = [
        row
        for row in metrics
        if row["interval"] is not None and str(row["name"]).startswith(_SHARES)
    ]
    if shares:
        row = max(shares, key=lambda metric: metric["value"])
        parts.append(
            f"{row['title']}: {words.percent(row['value'])} of the distilled images "
            f"({words.percent_interval(row['interval'])})."
        )
    parts.extend(
        f"{row['title']}: {words.percent(row['value'])} above chance "
        f"({words.percent_interval(row['interval'])})."
        for row in metrics
        if row["name"] == "reidentification" and row["interval"] is not None
    )
    if not parts and metrics:
        passed = sum(metric["outcome"] == "passed" for metric in metrics)
        parts.append(f"{passed} of {len(metrics)} comparisons found nothing.")
    return " ".join(parts).removesuffix(" Measured:") or "Not measured."


_SHARES = ("exact_copies", "near_copies", "registered", "start_retention")
"""Metrics whose value is a share of the distilled images."""


def _evidence(
    question: _Question,
    attacks: Sequence[Mapping[str, Any]],
    metrics: Sequence[Mapping[str, Any]],
    privacy: Mapping[str, Any],
) -> str:
    if not attacks and not metrics:
        if privacy.get("proof"):
            return "Differential privacy."
        return f"Not tried: {question.methods}."
    parts = ["Differential privacy."] if privacy.get("proof") else []
    parts.append(f"{capital(question.methods)}.")
    if attacks:
        reach = privacy.get("power")
        power = (
            f"power {words.percent(reach['tpr'])}" if reach and not reach["reduced"] else "no power"
        )
        parts.append(f"{_count(len(attacks), 'attack')} ({power}).")
    elif question.attacks:
        parts.append("No attack of known power.")
    if metrics:
        powerless = sum(metric["outcome"] == "no_power" for metric in metrics)
        blind = f", {powerless} of them without power" if powerless else ""
        parts.append(f"{_count(len(metrics), 'comparison')}{blind}.")
    return " ".join(parts)


def _count(number_of: int, what: str) -> str:
    return f"{number_of} {what}{'' if number_of == 1 else 's'}"


def _not_tried(privacy: Mapping[str, Any]) -> Iterator[str]:
    """Name what a reader may take for tried."""
    names = {row["name"] for row in privacy.get("attacks") or []}
    if privacy.get("proof") and not names and not privacy["metrics"]:
        # A proof covers every attack; those that were run are not shown.
        if privacy.get("unit", "image") == "image":
            yield _IMAGES_ALONE
        yield from _OTHER_WAYS
        return
    if not names:
        yield "membership inference on the whole pipeline"
    else:
        for name, title in words.ATTACK_WORDS.items():
            if name not in names:
                yield f"membership inference by {title}"
    metrics = [str(row["name"]) for row in privacy["metrics"]]
    for prefix, title in _METRICS_TO_NAME.items():
        if not any(name.startswith(prefix) for name in metrics):
            yield title
    if privacy.get("unit", "image") == "image":
        yield _IMAGES_ALONE
    missed = [
        dose["title"]
        for control in privacy["controls"]
        for dose in control.get("doses") or []
        if not dose["found"]
    ]
    if missed:
        yield f"copies in disguises that the positive control missed: {'; '.join(missed)}"
    yield from _OTHER_WAYS


_IMAGES_ALONE = (
    "protection of patients with several images: the audit counts images, since it does not know "
    "which show the same person"
)

_METRICS_TO_NAME = {
    "registered": "copies that were shifted, scaled, turned, mirrored or inverted (registration)",
    "attribute": "attribute inference: deducing sex, age or another finding of a patient",
    "reidentification": "re-identification with another X-ray of the same patient",
}
