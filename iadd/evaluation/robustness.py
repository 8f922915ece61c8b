"""DD-Ranking's scores: what a distilled set is worth beyond its labels and its augmentation.

Li, Zhong et al. 2025, "DD-Ranking: Rethinking the Evaluation of Dataset Distillation"
(arXiv 2505.13300; github.com/NUS-HPC-AI-Lab/DD-Ranking, version 0.2.0). Figures of distilled sets
gain from soft labels and from augmentation, which help randomly selected images as well. So both
scores compare with as many random images that are trained on in the same way.

Every accuracy is a share between 0 and 1, of networks tested on the same images.
"""

import math

from iadd.config import Config


def hard_label_recovery(*, full: float, distilled: float) -> float:
    """Compute HLR = acc(full) − acc(distilled), both with hard labels: what is not recovered.

    Args:
        full: Accuracy of networks trained on all training images.
        distilled: Accuracy of networks trained on the distilled set.

    Returns:
        −1 to 1; smaller is better.
    """
    return _share(full) - _share(distilled)


def improvement_over_random(*, distilled: float, random: float) -> float:
    """Compute IOR = acc(distilled) − acc(random), both trained on in the distilled set's own way.

    Args:
        distilled: Accuracy of networks trained on the distilled set.
        random: Accuracy of networks trained on as many random images.

    Returns:
        −1 to 1; larger is better.
    """
    return _share(distilled) - _share(random)


def label_robust_score(
    *,
    full: float,
    distilled: float,
    random: float,
    distilled_hard: float | None = None,
    weight: float = 0.5,
) -> float:
    """Compute LRS = (e^a − e⁻¹)/(e − e⁻¹) with a = w·IOR − (1 − w)·HLR.

    Args:
        full: Accuracy of networks trained on all training images, with hard labels.
        distilled: Accuracy of networks trained on the distilled set in its own way.
        random: Accuracy of networks trained in that way on as many random images.
        distilled_hard: Accuracy of networks trained on the distilled set with hard labels;
            `distilled` unless given, since the labels of all sets made here are hard.
        weight: w, 0 to 1; 0.5 on DD-Ranking's leaderboard.

    Returns:
        0 to 1; larger is better. A set that is as good as random images, which are as good as all
        of them, has 1/(1 + e) = 0.269.
    """
    hard = distilled if distilled_hard is None else distilled_hard
    improvement = improvement_over_random(distilled=distilled, random=random)
    recovery = hard_label_recovery(full=full, distilled=hard)
    return _normalised(_share(weight) * improvement - (1 - weight) * recovery)


def augmentation_robust_score(
    *,
    distilled: float,
    random: float,
    distilled_unaugmented: float,
    random_unaugmented: float,
    weight: float = 0.5,
) -> float:
    """Compute ARS = (e^b − e⁻¹)/(e − e⁻¹) with b = γ·IOR + (1 − γ)·IOR without augmentation.

    Args:
        distilled: Accuracy of networks trained on the distilled set, with augmentation.
        random: The same for as many random images.
        distilled_unaugmented: Accuracy of networks trained on the distilled set without it.
        random_unaugmented: The same for as many random images.
        weight: γ, 0 to 1; 0.5 on DD-Ranking's leaderboard.

    Returns:
        0 to 1; larger is better. A set that is as good as random images has 1/(1 + e) = 0.269.
    """
    augmented = improvement_over_random(distilled=distilled, random=random)
    unaugmented = improvement_over_random(
        distilled=distilled_unaugmented, random=random_unaugmented
    )
    return _normalised(_share(weight) * augmented + (1 - weight) * unaugmented)


def without_augmentation(config: Config) -> Config:
    """Return the settings of the same evaluation on images as they are."""
    return config.override({"augmentation": ()})


def _normalised(difference: float) -> float:
    return (math.exp(difference) - math.exp(-1)) / (math.e - math.exp(-1))


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"A share between 0 and 1 is needed, not {value}.")
    return value
