"""The public report of a set that is proven under differential privacy.

It is put together from what may leave, and takes nothing out of the report that stays inside: the
settings, the distilled set, the proof, and the one score that was noised and paid for. Exact
scores, counts of images, comparisons and times follow from the images without noise.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from iadd.bundle.bundle import describe_recipe
from iadd.evaluation.noisy_score import NoisyScore
from iadd.privacy import PrivacyReport
from iadd.privacy.proof import proven_report
from iadd.runtime.json import finite
from worker.reports import conclusions
from worker.reports.blocks import Conclusion, Report
from worker.reports.composition import assemble
from worker.reports.inputs import ReportSource
from worker.reports.json_document import curves_json, network_json
from worker.reports.sections import images, noisy_utility, privacy
from worker.reports.weights_data import importance_json, network_of

Json = dict[str, Any]


def proven_json(source: ReportSource, score: NoisyScore) -> Json:
    """Write the public ``report.json`` of a set with a proof, as strict JSON.

    Args:
        source: All that was measured. Of its figures only the proof is used.
        score: The noisy score.

    Raises:
        ValueError: When the privacy report holds no proof.
    """
    config, distilled = source.distilled.config, source.distilled
    document: Json = {
        "asked_on": source.asked_on,
        # Their names are public; how many images each has is not.
        "dataset": {
            "classes": {name: {} for name in distilled.classes},
            "split_by": None,
        },
        "preset": config.preset,
        "images_per_class": config.distillation.images_per_class,
        "initialisation": config.distillation.initialisation,
        "image_format": config.distillation.image_format,
        "randomness": source.randomness,
        "seed": config.seed,
        "best_iteration": distilled.best_iteration,
        "settings": config.to_dict(),
        "versions": source.versions,
        "timings": {},
        "utility": {"distilled": {"training_images": len(distilled)}},
        "noisy_score": score.to_dict(),
        "networks": {
            config.network.network: network_json(config, network_of(distilled)),
        },
        "privacy": _public(source.privacy, len(distilled)).to_dict(),
        "curves": curves_json(distilled),
        "importance_weights": importance_json(distilled),
        "recipe": describe_recipe(config, distilled.syn_lr),
    }
    strict: Json = finite(document)
    strict["conclusions"] = [asdict(conclusion) for conclusion in _conclude(strict)]
    return strict


def compose_proven(source: ReportSource, document: Mapping[str, Any]) -> Report:
    """Put the public report together.

    Args:
        source: Gives the distilled images, and nothing else.
        document: ``proven_json(source, …)``.
    """
    return assemble(
        source,
        document,
        answers=_conclude(document),
        sections=[
            noisy_utility.section(document),
            images.section(document, source, inside=False),
            privacy.proven_section(document),
        ],
        method=" under differential privacy",
    )


def _conclude(document: Mapping[str, Any]) -> list[Conclusion]:
    return [
        conclusions.noisy_utility(document),
        conclusions.privacy(document),
        conclusions.permission(document),
    ]


def _public(privacy: PrivacyReport, distilled: int) -> PrivacyReport:
    if privacy.proof is None:
        raise ValueError("a public report of a private set needs its proof")
    return proven_report(
        privacy.proof,
        distilled=distilled,
        leak_limit=privacy.leak_limit,
        attempts=privacy.attempts,
    )
