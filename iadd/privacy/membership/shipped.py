"""Tier 0: the shipped run as its own test. Training units are in, test units out.

Where the split was drawn by chance, both sides are alike but for their part in training, so that
under "no leak" every order of their scores is equally likely: the null is exact. Scores are
calibrated without either side: reference networks see the validation split alone, and class means
and spectra are measured on it.

Shapes: n units a side, R = 2n images, S students.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.intake.splits import SPLITS
from iadd.privacy.membership.decide import CHANCE, FEWEST_SCORES, Membership
from iadd.privacy.membership.filter import ClassStatistics, matched
from iadd.privacy.membership.measure import (
    SINGLE_STARTS,
    Candidates,
    averaged_images,
    intensities,
    nearest,
    students_of,
)
from iadd.privacy.membership.plan import draws
from iadd.privacy.membership.students import Responses, train_students
from iadd.privacy.membership.tally import Tally, attacks_of
from iadd.privacy.power import OUTLIERS, reachable_tpr
from iadd.privacy.report import Power
from iadd.privacy.statistics import FALSE_ALARMS
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress

_STUDENTS = 2
_REFERENCES = 2
"""Networks trained on the set, and reference networks: few, for a job of minutes."""

_FEWEST_VALIDATION = 1
_EPOCHS = 100
"""Passes of both at most."""


def attack_shipped_run(
    distilled: DistilledDataset,
    images: ImageSet,
    *,
    secret: int,
    random_split: bool,
    limit: float,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Membership:
    """Attack the distilled set itself, at the cost of a few small networks.

    Training and test units are drawn by the secret, as many of each class, one image of each unit;
    units that lie in both splits are left out. At most ``audit_units`` a side are asked about.

    Args:
        distilled: The set, with its initial images where they were kept.
        images: The whole set it was made from.
        secret: What is drawn follows from it.
        random_split: Whether chance decided what is in the test split. Without it there is no
            null, and nothing is attacked.
        limit: Share of members found, at 1% false alarms, that the upper bound may reach.
        on_progress: Called after each pass of a network; phase ``auditing``.
        device: Device to compute on.

    Returns:
        Attacks, and power of tier 0; neither where the split is the archive's own or units are too
        few.
    """
    if not random_split:
        return _without(
            "The archive's own split was kept, so training and test images may differ by more than "
            "their part in training: the run itself cannot be attacked."
        )
    drawn = _draw(images, distilled.config.audit.audit_units, secret)
    if len(drawn.members) < FEWEST_SCORES:
        return _without(
            f"Of each class, training and test images make {len(drawn.members)} pairs of units; "
            f"{FEWEST_SCORES} are the fewest that an attack could tell anything of."
        )
    validation = images.part("validation")
    if min(validation.count_by_class().values()) < _FEWEST_VALIDATION:
        return _without(
            "A class has no validation images, which the attacks would be calibrated on."
        )
    scored = _Scored.of(distilled, images, drawn, validation, on_progress, device)
    tallies = list(_tallies(scored, drawn, images.classes))
    tallies += _contributors(distilled, images, validation, secret)
    units = 2 * len(drawn.members)
    power = Power(
        tpr=reachable_tpr(runs=1, units=units, chance=CHANCE),
        fpr=FALSE_ALARMS,
        chance=CHANCE,
        unit=images.unit,
        runs=1,
        units=units,
        deff=1.0,
        reduced=False,
        tier=0,
    )
    return Membership(
        attacks=attacks_of(tallies, limit=limit),
        power=power,
        explanation=(
            f"The distilled set itself was attacked: {len(drawn.members):,} training and as many "
            f"test {images.unit}s, drawn by chance."
        ),
    )


def _without(explanation: str) -> Membership:
    return Membership(attacks=(), power=None, explanation=explanation)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Images that are asked about, as many of each class on both sides.

    Attributes:
        members: int64 (n,), rows of the set.
        others: int64 (n,), rows of the set.
    """

    members: Tensor
    others: Tensor

    @property
    def rows(self) -> Tensor:
        return torch.cat([self.members, self.others])


def _draw(images: ImageSet, most: int, secret: int) -> _Drawn:
    random = draws(secret, "shipped")
    numbers = torch.arange(len(images)) if images.groups is None else images.groups
    units = numbers.unique(return_inverse=True)[1]
    low = torch.full((int(units.max()) + 1,), len(SPLITS)).scatter_reduce(
        0, units, images.split.long(), "amin"
    )
    high = torch.zeros_like(low).scatter_reduce(0, units, images.split.long(), "amax")
    whole = (low == high)[units]
    # Whatever the number of a unit's images, it is asked about once.
    order = torch.from_numpy(random.permutation(len(images)))
    order = order[whole[order]]
    first = torch.full((len(low),), len(images)).scatter_reduce(
        0, units[order], torch.arange(len(order)), "amin"
    )
    chosen = order[first[first < len(images)].sort().values]
    sides: dict[str, list[Tensor]] = {"train": [], "test": []}
    per_class = []
    for label in range(len(images.classes)):
        own = chosen[images.labels[chosen] == label]
        rows = {name: own[images.split[own] == SPLITS.index(name)] for name in ("train", "test")}
        count = min(len(rows["train"]), len(rows["test"]))
        per_class.append(count)
        for name, some in rows.items():
            sides[name].append(some[:count])
    share = min(1.0, most / max(1, sum(per_class)))
    kept = {
        name: torch.cat([some[: int(len(some) * share)] for some in parts])
        for name, parts in sides.items()
    }
    return _Drawn(kept["train"], kept["test"])


@dataclass(frozen=True, eq=False)
class _Scored:
    """Scores of the R images, members first.

    Attributes:
        scores: float64 (R,) of each attack, by name.
        norm: float32 (R,), gradient norms at reference networks.
        labels: int64 (R,).
    """

    scores: dict[str, npt.NDArray[np.float64]]
    norm: Tensor
    labels: Tensor

    @classmethod
    def of(
        cls,
        distilled: DistilledDataset,
        images: ImageSet,
        drawn: _Drawn,
        validation: ImageSet,
        on_progress: ProgressListener | None,
        device: torch.device | str,
    ) -> "_Scored":
        config = _shortened(distilled.config)
        count = min(config.audit.audit_students, _STUDENTS)
        epochs = config.evaluation.evaluation_epochs
        counter = _counter(on_progress, (count + _REFERENCES) * epochs)
        asked = Candidates(images.images[drawn.rows], images.labels[drawn.rows])
        references = _references(distilled, validation)
        students = students_of(distilled, config, count=count, on_epoch=counter, device=device)
        unaware = train_students(
            references,
            distilled.labels,
            classes=len(distilled.classes),
            lr=distilled.syn_lr,
            normalisation=distilled.normalisation,
            config=config,
            count=_REFERENCES,
            rng_key=("reference",),
            on_epoch=counter,
            device=device,
        )
        own = students.respond(asked.images, asked.labels)
        without = unaware.respond(asked.images, asked.labels)
        pictures = intensities(distilled)
        expected = torch.stack(
            [
                nearest(asked, distilled.normalisation.to_intensities(reference), distilled.labels)
                for reference in references
            ]
        ).mean(dim=0)
        found = {
            **_of_students(
                own,
                without,
                students.respond(validation.images, validation.labels),
                unaware.respond(validation.images, validation.labels),
            ),
            "nearest": nearest(asked, pictures, distilled.labels) - expected,
            "matched_filter": _matched(asked, pictures, distilled, ClassStatistics.of(validation)),
        }
        return cls(
            {name: values.double().numpy() for name, values in found.items()},
            without.norm,
            asked.labels,
        )


def _matched(
    asked: Candidates, pictures: Tensor, distilled: DistilledDataset, statistics: ClassStatistics
) -> Tensor:
    return matched(
        asked.images,
        asked.labels,
        pictures,
        distilled.labels,
        statistics,
        averaged=averaged_images(distilled.config),
    )


def _of_students(
    own: Responses, without: Responses, population: Responses, expected: Responses
) -> dict[str, Tensor]:
    """Compare what students say with what networks say that saw neither side."""
    ratio = own.p / without.p.clamp(min=1e-12)
    others = (population.p / expected.p.clamp(min=1e-12)).sort().values
    share = torch.searchsorted(others, ratio, right=True) / len(others)
    return {
        # Without runs in which the image was, only the distribution without it is known.
        "lira": own.phi - without.phi,
        "rmia": share + ratio.log1p() * 1e-3,
        "loss": own.log_p,
    }


def _shortened(config: Config) -> Config:
    epochs = min(config.evaluation.evaluation_epochs, _EPOCHS)
    return config.override({"evaluation_epochs": epochs})


def _references(distilled: DistilledDataset, validation: ImageSet) -> Tensor:
    """Draw sets of validation images like the distilled one, (S, M, C, H, W), normalised."""
    sets = []
    for number in range(_REFERENCES):
        generator = torch.Generator().manual_seed(number)
        rows = []
        for label in distilled.labels.tolist():
            members = (validation.labels == label).nonzero().squeeze(1)
            rows.append(members[torch.randint(len(members), (), generator=generator)])
        sets.append(distilled.normalisation.apply(validation.images[torch.stack(rows)]))
    return torch.stack(sets)


def _counter(listener: ProgressListener | None, total: int) -> Callable[[], None]:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        (listener or ignore_progress)(
            Progress(phase="auditing", done=done, total=total, unit="epochs")
        )

    return count


def _tallies(scored: _Scored, drawn: _Drawn, classes: tuple[str, ...]) -> Iterator[Tally]:
    """Count for each attack and stratum; a stratum is chosen without regard to the sides."""
    member = torch.arange(len(scored.labels)) < len(drawn.members)
    count = max(1, round(OUTLIERS * len(scored.norm)))
    strata = {
        "all": torch.ones_like(member),
        "outliers": scored.norm >= scored.norm.sort(descending=True).values[count - 1],
        **{f"class:{name}": scored.labels == label for label, name in enumerate(classes)},
    }
    for name, scores in scored.scores.items():
        for stratum, chosen in strata.items():
            ins, outs = scores[chosen & member], scores[chosen & ~member]
            if min(len(ins), len(outs)) >= FEWEST_SCORES:
                yield Tally.of_one_run(name, stratum, ins, outs)


def _contributors(
    distilled: DistilledDataset,
    images: ImageSet,
    validation: ImageSet,
    secret: int,
) -> list[Tally]:
    """Look in the release for those who seem to be in the starts.

    On both sides those are taken that the filter finds in the starts, as many as were averaged: so
    they are alike where the starts tell nothing.
    """
    settings = distilled.config.distillation
    if settings.initialisation not in SINGLE_STARTS or distilled.initial_images is None:
        return []
    every = _draw(images, len(images), secret)
    asked = Candidates(images.images[every.rows], images.labels[every.rows])
    statistics = ClassStatistics.of(validation)
    starts = distilled.normalisation.to_intensities(distilled.initial_images)
    in_start = _matched(asked, starts, distilled, statistics)
    found = _matched(asked, intensities(distilled), distilled, statistics)
    in_release = found.double().numpy()
    wanted = averaged_images(distilled.config) * settings.images_per_class
    member = torch.arange(len(asked.labels)) < len(every.members)
    sides = []
    for side in (member, ~member):
        chosen = []
        for label in range(len(images.classes)):
            own = (side & (asked.labels == label)).nonzero().squeeze(1)
            chosen.append(own[in_start[own].argsort(descending=True)[:wanted]])
        sides.append(in_release[torch.cat(chosen).numpy()])
    return [Tally.of_one_run("matched_filter", "contributors", *sides)]
