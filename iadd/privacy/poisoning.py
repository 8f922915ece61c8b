"""Looks for planted triggers: patches that make networks answer with a class that the sender chose.

Backdoors survive distillation, and can be put into a distilled set on purpose (arXiv 2301.01197,
arXiv 2502.04229). Three published kinds of test are run, none
of which can clear a set:

1. reverse-engineered triggers (Wang et al. 2019, Neural Cleanse): the smallest patch that turns
   other images into a class, for all networks at once; a class for which it is far smaller than for
   the others is suspicious;
2. spectral signatures (Tran, Li and Madry 2018): features of a class that fall apart into two
   groups along their first principal direction;
3. patches of the images that are odd at their place, or nearly the same in several images, and that
   turn other images into their class when they are pasted there (Chou et al. 2018, SentiNet).

Shapes: M distilled images, K classes, C channels, H = W pixels, V networks, N probes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.distillation.initialisation import public_start
from iadd.networks.base import Classifier
from iadd.runtime.precision import computing_at
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.runtime.seed import make_generator
from iadd.training.recipe import small_set_recipe
from iadd.training.trainer import NetworkSpec, train_networks

TestName = Literal["trigger", "spectral", "patch"]
Outcome = Literal["flagged", "clear", "not_run"]

NETWORKS = 3
"""Networks that a trigger has to fool at once, so that it is a trigger and no accident of one."""

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

FEWEST_PROBES = 8
FEWEST_IMAGES = 20
"""Images of a class below which its features are not searched for two groups."""

APART = 4.5
"""Distance of two groups of features, in their deviations, above which they are two. Halves of one
normal distribution lie 2.7 apart."""

PASTED = 0.8
"""Share of the probes that a pasted patch has to turn into its class."""

_FAINT = 0.02
"""Deviation within a window that is not told from none."""

_TEXTURED = 0.05
_LEAST_TEXTURE = 0.2
_PLACES = 3
_PASTED = 64
_EPOCHS = 300
_PUBLIC_PROBES = 32
_MOST_PROBES = 200

NOT_COVERED = (
    "Triggers that are no patch (a blend over the whole image, a warp, a change of style, a "
    "frequency), triggers of more than a tenth of the image, poisons with correct labels that only "
    "act on certain patients, attackers who know these tests and avoid them, triggers that need "
    "another network than the ones trained here, and sets with few images per class, where the "
    "features cannot be searched at all. Nothing found is no proof that there is nothing."
)


@dataclass(frozen=True, kw_only=True)
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


def inspect(
    distilled: DistilledDataset,
    *,
    own: ImageSet | None = None,
    networks: int = NETWORKS,
    steps: int = STEPS,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> PoisonReport:
    """Look for triggers in a distilled set.

    Args:
        distilled: The set, fresh or from a bundle.
        own: Own images of the same size and channels, of any classes, to try triggers on; without
            them, generated chests and the set's own images are taken.
        networks: V, networks that are trained on the set.
        steps: Steps of optimising a trigger for each class.
        on_progress: Called after each pass of a network and each tenth step; phase ``inspecting``.
        device: Device to compute on.

    Raises:
        ValueError: When own images have another size than the set's.
        OutOfMemoryError: When not even one image at a time fits.
    """
    if own is not None and own.images.shape[1:] != distilled.images.shape[1:]:
        raise ValueError("The own images have another size than the distilled ones.")
    epochs = min(distilled.config.evaluation.evaluation_epochs, _EPOCHS)
    progress = _Counter(
        on_progress or ignore_progress,
        networks * epochs + len(distilled.classes) * (steps // 10),
    )
    trained = _train(distilled, networks, epochs, progress, device)
    probes = _probes(distilled, own)
    tests = [
        *find_triggers(distilled, trained, probes, steps=steps, on_steps=progress, device=device),
        *find_groups(distilled, trained),
        *find_patches(distilled, trained, probes, device=device),
    ]
    return PoisonReport(
        tests=tuple(tests),
        probes=len(probes),
        own_probes=own is not None,
        networks=networks,
    )


class _Counter:
    """Counts finished work, and reports it."""

    def __init__(self, listener: ProgressListener, total: int) -> None:
        self._listener, self._total, self._done = listener, max(1, total), 0

    def __call__(self) -> None:
        self._done = min(self._done + 1, self._total)
        self._listener(
            Progress(phase="inspecting", done=self._done, total=self._total, unit="passes")
        )


def _train(
    distilled: DistilledDataset,
    count: int,
    epochs: int,
    on_epoch: Callable[[], None],
    device: torch.device | str,
) -> list[Classifier]:
    config = distilled.config.override({"evaluation_epochs": epochs})
    images, labels = distilled.images.to(device), distilled.labels.to(device)
    trained = train_networks(
        [NetworkSpec(lambda batch: images[batch], labels, ("inspect", n)) for n in range(count)],
        classes=len(distilled.classes),
        channels=images.shape[1],
        config=config,
        recipe=small_set_recipe(config, distilled.syn_lr),
        on_epoch=on_epoch,
    )
    networks = [network for network in trained if isinstance(network, Classifier)]
    for network in networks:
        network.requires_grad_(requires_grad=False).eval()
    return networks


def _probes(distilled: DistilledDataset, own: ImageSet | None) -> Tensor:
    """Return intensities (N, C, H, W) in 0..1 that triggers are tried on."""
    if own is not None:
        chosen = torch.randperm(len(own), generator=make_generator(0, "probes"))[:_MOST_PROBES]
        return own.images[chosen].float() / 255
    normalisation = distilled.normalisation
    shape = (_PUBLIC_PROBES, *distilled.images.shape[1:])
    chests = normalisation.to_intensities(public_start(shape, seed=0))
    ours = normalisation.to_intensities(distilled.images)[:_MOST_PROBES]
    return torch.cat([chests, ours]).clamp(0, 1)


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
        answers = _answers(networks, probes, distilled.normalisation)
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
            reason = (
                "Too few probes are of another class in the eyes of all networks."
                if size is None
                else "There is no other class to compare with."
            )
            tests.append(_test("trigger", title, name, None, ANOMALY, "not_run", reason))
            continue
        flagged = index > ANOMALY and size <= LARGEST_TRIGGER
        tests.append(
            _test(
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


def _test(
    name: TestName,
    title: str,
    class_name: str,
    value: float | None,
    limit: float,
    outcome: Outcome,
    explanation: str,
    images: tuple[int, ...] = (),
) -> PoisonTest:
    return PoisonTest(
        name=name,
        title=title,
        class_name=class_name,
        value=value,
        limit=limit,
        outcome=outcome,
        explanation=explanation,
        images=images,
    )


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


def find_groups(distilled: DistilledDataset, networks: Sequence[Classifier]) -> list[PoisonTest]:
    """Look for two groups among the features of each class (Tran, Li and Madry 2018).

    Args:
        distilled: The set.
        networks: Trained on it.
    """
    title = "Two groups of features"
    tests = []
    for label, name in enumerate(distilled.classes):
        rows = (distilled.labels == label).nonzero().squeeze(1)
        if len(rows) < FEWEST_IMAGES:
            reason = f"{len(rows)} images; at least {FEWEST_IMAGES} are needed."
            tests.append(_test("spectral", title, name, None, APART, "not_run", reason))
            continue
        found = []
        for network in networks:
            device = next(network.parameters()).device
            with torch.no_grad():
                features = network.features(distilled.images[rows].to(device)).flatten(1).cpu()
            found.append(two_groups(features))
        distance = min(distance for distance, _ in found)
        smaller = min(found, key=lambda one: one[0])[1]
        tests.append(
            _test(
                "spectral",
                title,
                name,
                distance,
                APART,
                "flagged" if distance > APART else "clear",
                "Distance of the two groups along the first principal direction of the features, "
                "in their deviations, in the network where they lie nearest.",
                tuple(rows[smaller].tolist()) if distance > APART else (),
            )
        )
    return tests


def two_groups(features: Tensor) -> tuple[float, Tensor]:
    """Split features along their first principal direction, and measure how far apart they lie.

    Args:
        features: (n, D).

    Returns:
        Distance of the means in pooled deviations, at the split where it is largest with a tenth
        of the images on either side; and the rows of the smaller group.
    """
    centred = (features - features.mean(dim=0)).double()
    if not bool(centred.abs().max() > 0):
        return 0.0, torch.empty(0, dtype=torch.int64)
    along = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[0]
    order = along.argsort()
    values = along[order]
    least = max(2, math.ceil(len(values) / 10))
    best, where = 0.0, least
    for cut in range(least, len(values) - least + 1):
        low, high = values[:cut], values[cut:]
        pooled = ((low.var() + high.var()) / 2).sqrt().clamp(min=1e-9)
        distance = float((high.mean() - low.mean()) / pooled)
        if distance > best:
            best, where = distance, cut
    low, high = order[:where], order[where:]
    return best, low if len(low) <= len(high) else high


def find_patches(
    distilled: DistilledDataset,
    networks: Sequence[Classifier],
    probes: Tensor,
    *,
    device: torch.device | str = "cpu",
) -> list[PoisonTest]:
    """Paste conspicuous patches of the images into others (Chou et al. 2018, SentiNet).

    Conspicuous are the patches that are odd at their place and those that two images of a class
    share. Markers such as "L" are conspicuous too, so what counts is whether all networks then
    answer with the class of the image that the patch came from.

    Args:
        distilled: The set; intensities beyond black and white are clipped, as a picture shows them.
        networks: Trained on it.
        probes: (N, C, H, W), intensities in 0..1.
        device: Device to compute on.
    """
    title = "Patch that carries its class"
    pictures = distilled.normalisation.to_intensities(distilled.images).clamp(0, 1)
    places = conspicuous(pictures, distilled.labels)
    tests = []
    probes = probes[:_PASTED].to(device)
    with torch.no_grad(), computing_at(distilled.config.compute.precision):
        before = _answers(networks, probes, distilled.normalisation)
        for label, name in enumerate(distilled.classes):
            rows = (distilled.labels == label).nonzero().squeeze(1).tolist()
            others = probes[(before != label).all(dim=0)]
            if len(others) < FEWEST_PROBES:
                reason = "Too few probes are of another class in the eyes of all networks."
                tests.append(_test("patch", title, name, None, PASTED, "not_run", reason))
                continue
            reached = {
                row: max(
                    float(
                        (_answers(networks, pasted, distilled.normalisation) == label)
                        .float()
                        .mean(dim=1)
                        .min()
                    )
                    for top, left in places[row]
                    for pasted in [_paste(others, pictures[row].to(device), top, left)]
                )
                for row in rows
            }
            share = max(reached.values(), default=0.0)
            flagged = share >= PASTED
            tests.append(
                _test(
                    "patch",
                    title,
                    name,
                    share,
                    PASTED,
                    "flagged" if flagged else "clear",
                    "Largest share of other images that all networks take for this class once a "
                    "patch of one of its images, a quarter of the side wide, is pasted into them.",
                    tuple(row for row, one in reached.items() if one >= PASTED),
                )
            )
    return tests


def _answers(
    networks: Sequence[Classifier], probes: Tensor, normalisation: Normalisation
) -> Tensor:
    """Return the class of each probe for each network, (V, N)."""
    normalised = normalisation.of_intensities(probes)
    return torch.stack([network(normalised).argmax(dim=1) for network in networks])


def _paste(probes: Tensor, picture: Tensor, top: int, left: int) -> Tensor:
    side = picture.shape[-1] // 4
    pasted = probes.clone()
    place = (..., slice(top, top + side), slice(left, left + side))
    pasted[place] = picture[place]
    return pasted


def conspicuous(pictures: Tensor, labels: Tensor) -> list[list[tuple[int, int]]]:
    """Find for each image the places of its most conspicuous patches.

    Args:
        pictures: (M, C, H, W), intensities.
        labels: (M,).

    Returns:
        For each image, top and left of squares of a quarter of the side about those patches.
    """
    size = pictures.shape[-1]
    side, stride = _window(size)
    across = (size - side) // stride + 1
    scores = torch.stack([oddness(pictures), sameness(pictures, labels)])
    places = []
    for row in range(len(pictures)):
        best = torch.cat([one.topk(min(_PLACES, one.numel())).indices for one in scores[:, row]])
        found = set()
        for place in best.tolist():
            middle = [stride * part + side // 2 for part in divmod(place, across)]
            found.add(tuple(min(max(0, m - size // 8), size - size // 4) for m in middle))
        places.append(sorted((top, left) for top, left in found))
    return places


def _window(size: int) -> tuple[int, int]:
    side = max(3, size // 8)
    return side, max(1, side // 2)


def _windows(pictures: Tensor) -> Tensor:
    """Cut pictures into overlapping windows of an eighth of the side: (M, L, D)."""
    side, stride = _window(pictures.shape[-1])
    return F.unfold(pictures, side, stride=stride).transpose(1, 2)


def oddness(pictures: Tensor) -> Tensor:
    """Measure how much the texture of each window differs from other images' at its place, (M, L).

    Texture is the logarithm of the deviation within a window. It is compared with the other windows
    of its image too: an image that is rough all over has no odd patch. In robust deviations.
    """
    texture = (_windows(pictures).std(dim=2) + _FAINT).log()
    rest = texture - texture.median(dim=0).values
    rest = rest - rest.median(dim=1, keepdim=True).values
    # Where images differ much from each other, as at the edge of a body, a difference is not odd.
    spread = (1.4826 * rest.abs().median(dim=0).values).clamp(min=_LEAST_TEXTURE)
    return (rest / spread).abs()


def sameness(pictures: Tensor, labels: Tensor) -> Tensor:
    """Measure how much less two images of a class differ in a window than images do there, (M, L).

    Windows without texture of their own, such as a black border, count nothing.
    """
    windows = _windows(pictures)
    textured = windows.std(dim=2) > _TEXTURED
    result = torch.zeros(windows.shape[:2])
    usual = (windows - windows.median(dim=0).values).square().mean(dim=2).sqrt().median(0).values
    for row in range(len(windows)):
        mates = labels == labels[row]
        mates[row] = False
        if bool(mates.any()):
            own = (windows[mates] - windows[row]).square().mean(dim=2).sqrt().amin(dim=0)
            result[row] = torch.where(textured[row], usual / (own + 1 / 255), 0.0)
    return result
