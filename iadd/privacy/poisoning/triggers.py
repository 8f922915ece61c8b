"""Reverse-engineers triggers: the smallest patch that turns other images into a class.

Wang et al. 2019, Neural Cleanse.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.normalisation import Normalisation
from iadd.networks.base import Classifier
from iadd.privacy.poisoning.probes import FEWEST_PROBES, TOO_FEW, answers_of
from iadd.privacy.poisoning.report import PoisonTest
from iadd.runtime.precision import computing_at
from iadd.runtime.seed import make_generator

STEPS = 150
"""Steps of optimising a trigger for each class."""

SUCCESS = 0.9
"""Share of the probes that a trigger has to turn."""

LARGEST_TRIGGER = 0.1
"""Share of the image above which a patch is no trigger: it hides the image."""

ANOMALY = 3.0
"""Anomaly index above which a class is suspicious. Wang et al. take 2 for tens of classes or more;
two to four classes are a rougher yardstick."""

LEAST_SPREAD = 0.25
"""Smallest spread of the logarithms of trigger sizes: few classes say little of it."""


def find_triggers(
    distilled: DistilledDataset,
    networks: Sequence[Classifier],
    probes: Tensor,
    *,
    steps: int = STEPS,
    on_steps: Callable[[], None] = lambda: None,
    device: torch.device | str = "cpu",
) -> list[PoisonTest]:
    """Find the smallest trigger of each class, and compare the classes (Wang et al. 2019).

    Args:
        distilled: The set.
        networks: Trained on it, with parameters that need no gradient.
        probes: (N, C, H, W), intensities in 0..1.
        steps: Steps for each class.
        on_steps: Called after each tenth step.
        device: Device to compute on.
    """
    title = "Reverse-engineered trigger"
    sizes: list[float | None] = []
    probes = probes.to(device)
    with torch.no_grad(), computing_at(distilled.config.compute.precision):
        answers = answers_of(networks, probes, distilled.normalisation)
    for label in range(len(distilled.classes)):
        others = probes[(answers != label).all(dim=0)]
        if len(others) < FEWEST_PROBES:
            sizes.append(None)
            continue
        with computing_at(distilled.config.compute.precision):
            sizes.append(
                smallest_trigger(
                    networks, others, label, distilled.normalisation, steps=steps, on_steps=on_steps
                )
            )
    tests = []
    for label, (name, size) in enumerate(zip(distilled.classes, sizes, strict=True)):
        index = anomaly_index(sizes, label)
        if size is None or index is None:
            reason = TOO_FEW if size is None else "There is no other class to compare with."
            tests.append(PoisonTest("trigger", title, name, None, ANOMALY, "not_run", reason))
            continue
        flagged = index > ANOMALY and size <= LARGEST_TRIGGER
        tests.append(
            PoisonTest(
                "trigger",
                title,
                name,
                index,
                ANOMALY,
                "flagged" if flagged else "clear",
                f"A patch of {size:.1%} of the image turns {SUCCESS:.0%} of other images into this "
                f"class, for {len(networks)} networks at once. The anomaly index compares the size "
                "with those of the other classes.",
            )
        )
    return tests


def anomaly_index(sizes: Sequence[float | None], label: int) -> float | None:
    """Compare the logarithm of a trigger's size with those of the other classes.

    (median of the others − own) / (1.4826 · MAD of the others), where the spread is at least
    ``LEAST_SPREAD``. Wang et al. take the MAD over all classes; with two to four classes the
    suspicious one would be half of its own yardstick.

    Returns:
        The index, above 0 where the trigger is smaller; None where there is nothing to compare.
    """
    own = sizes[label]
    others = [size for n, size in enumerate(sizes) if n != label and size is not None]
    if own is None or not others:
        return None
    logarithms = torch.tensor([math.log(max(size, 1e-6)) for size in others])
    median = logarithms.quantile(0.5)
    spread = max(1.4826 * float((logarithms - median).abs().quantile(0.5)), LEAST_SPREAD)
    return (float(median) - math.log(max(own, 1e-6))) / spread


def smallest_trigger(
    networks: Sequence[Classifier],
    probes: Tensor,
    label: int,
    normalisation: Normalisation,
    *,
    steps: int,
    on_steps: Callable[[], None] = lambda: None,
) -> float:
    """Optimise mask and pattern of the smallest trigger for a class (Wang et al. 2019, eq. 3).

    min over m, p of the mean cross entropy of f((1 − m)·x + m·p) with the class, plus λ·mean(m);
    λ grows while the trigger works and shrinks while it does not.

    Args:
        networks: All of them have to be fooled.
        probes: (N, C, H, W), intensities in 0..1, of other classes.
        label: The class.
        normalisation: Normalisation of the networks' images.
        steps: Steps of Adam.
        on_steps: Called after each tenth step.

    Returns:
        The smallest share of the image at which ``SUCCESS`` of the probes were turned; 1 where
        none was found.
    """
    channels, height, width = probes.shape[1:]
    generator = make_generator(0, "trigger", label)
    mask = torch.full((1, height, width), -1.0, device=probes.device)
    pattern = 0.1 * torch.randn(channels, height, width, generator=generator).to(probes.device)
    mask.requires_grad_()
    pattern.requires_grad_()
    optimizer = torch.optim.Adam([mask, pattern], lr=0.2, betas=(0.5, 0.9))
    targets = torch.full((len(probes),), label, device=probes.device)
    smallest, price = 1.0, 1.0
    for step in range(steps):
        share = torch.sigmoid(mask)
        stamped = (1 - share) * probes + share * torch.sigmoid(pattern)
        logits = [network(normalisation.of_intensities(stamped)) for network in networks]
        turned = min(float((one.argmax(1) == label).float().mean()) for one in logits)
        size = share.mean()
        if turned >= SUCCESS:
            smallest = min(smallest, size.item())
            price = min(price * 1.2, 1e4)
        else:
            price = max(price / 1.2, 1e-2)
        errors = torch.stack([F.cross_entropy(one, targets) for one in logits])
        optimizer.zero_grad()
        (errors.mean() + price * size).backward()
        optimizer.step()
        if step % 10 == 9:
            on_steps()
    return smallest
