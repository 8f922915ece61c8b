"""Runs the controls of an audit: pictures with a known outcome, on the same bench.

The positive control says which metrics have power, the negative one whether they accuse falsely.
"""

import torch
from torch import Tensor

from iadd.privacy import metrics as audit_metrics
from iadd.privacy.bench import AVERAGED, DOSE, Bench, Shown
from iadd.privacy.disguises import DISGUISES, average, disguise, draw_like
from iadd.privacy.metrics import any_refused, refused_by_name
from iadd.privacy.report import Control, Dose
from iadd.runtime.seed import make_generator

SIXTY = 60
"""Pictures that one copy is hidden among."""

_FEWEST_REFERENCE = 10
_DRIFT = 0.1


def positive_control(bench: Bench, labels: Tensor) -> Control:
    """Examine copies and averages of training images, one row of the table per disguise."""
    generator = make_generator(0, "audit positive control")
    doses = [_plain(bench, labels, generator), _averaged(bench, labels, generator)]
    rows = _draw(bench, DOSE, generator)
    originals = bench.images[rows].float() / 255.0
    others = bench.images[_draw(bench, len(rows), generator)].float() / 255.0
    others = others[torch.arange(len(rows)) % len(others)]
    for name, one in DISGUISES.items():
        copies = disguise(name, originals, others, generator)
        if one.lone:
            doses.append(_lone(bench, name, one.title, copies[:1]))
            continue
        found = [
            audit_metrics.grid(one.rounded),
            *bench.copies(bench.register.find(copies).best()),
        ]
        doses.append(
            Dose(
                disguise=name,
                title=one.title,
                images=len(copies),
                refused=refused_by_name(found),
            )
        )
    return Control(
        name="positive",
        title="Positive control",
        description=(
            "Training images in the disguises of the table, and averages of them as a k_mean "
            "start is one. Every metric must refuse at least one row."
        ),
        images=sum(dose.images for dose in doses),
        refused=any_refused([dose.refused for dose in doses]),
        doses=tuple(doses),
    )


def _draw(bench: Bench, count: int, generator: torch.Generator) -> Tensor:
    rows = bench.sides.training.nonzero()[:, 0]
    return rows[torch.randperm(len(rows), generator=generator)[:count]]


def _plain(bench: Bench, labels: Tensor, generator: torch.Generator) -> Dose:
    """As many training images as were distilled, as they are, for every metric."""
    rows = draw_like(labels, bench.labels[bench.sides.training], generator)
    pictures = bench.images[rows].float() / 255.0
    found = bench.examine(Shown(pictures, bench.labels[rows]))
    return Dose(
        disguise="none",
        title="Training images as they are",
        images=len(rows),
        refused=_without(refused_by_name(found), "contributors_start", "grid"),
    )


def _averaged(bench: Bench, labels: Tensor, generator: torch.Generator) -> Dose:
    """Averages of training images, for the metrics that look for contributors."""
    starts, own = [], []
    for label in labels.unique():
        mine = (bench.labels == label) & bench.sides.training
        if bool(mine.any()):
            count = int((labels == label).sum())
            starts.append(average(bench.images[mine], count, AVERAGED, generator))
            own.append(torch.full((count,), int(label)))
    averages, shown = torch.cat(starts), torch.cat(own)
    drifted = averages + _DRIFT * averages.std() * torch.randn(averages.shape, generator=generator)
    found = audit_metrics.contributors(
        bench.seek(averages, shown, bench.sides),
        bench.seek(drifted, shown, bench.sides),
        random_split=bench.random_split,
    )
    return Dose(
        disguise="averaged",
        title=f"Averages of {AVERAGED} training images, and with a tenth of their spread added",
        images=len(averages),
        refused=refused_by_name(found),
    )


def _lone(bench: Bench, name: str, title: str, copy: Tensor) -> Dose:
    """One copy among pictures of nobody, whose similarity is known already."""
    company = bench.reference_rows.unique()
    company = company[company >= 0][: min(SIXTY - 1, len(bench.reference) // 2)]
    clean = bench.reference[torch.isin(bench.reference_rows, company)]
    similarity = torch.cat([bench.register.find(copy).best(), clean])
    found = bench.copies(similarity, without=company)
    # Without the copy: what refuses then does not do so because of it.
    before = refused_by_name(bench.copies(clean, without=company)) if len(clean) else {}
    return Dose(
        disguise=name,
        title=title,
        images=len(similarity),
        refused={
            metric: refused and not before.get(metric, False)
            for metric, refused in refused_by_name(found).items()
        },
    )


def negative_control(bench: Bench, count: int) -> Control | None:
    """Examine held-out images that have no duplicate among the training images."""
    held_out = bench.reference_rows[bench.held_out_references(None)]
    count = min(count, len(held_out) // 2)
    if count == 0 or len(held_out) - count < _FEWEST_REFERENCE:
        return None
    generator = make_generator(0, "audit negative control")
    rows = held_out[torch.randperm(len(held_out), generator=generator)[:count]]
    pictures = bench.images[rows].float() / 255.0
    found = bench.examine(Shown(pictures, bench.labels[rows]), without=rows)
    return Control(
        name="negative",
        title="Negative control",
        description=(
            "Held-out images that nothing was learnt from, and that have no duplicate among "
            "the training images. No metric may refuse them; one in twenty audits does so by "
            "chance."
        ),
        images=count,
        refused=_without(refused_by_name(found), "contributors_start"),
    )


def _without(refused: dict[str, bool], *names: str) -> dict[str, bool]:
    return {name: value for name, value in refused.items() if name not in names}
