"""Attacks every row of a study, to tell what it says of single images.

An attacker holds candidate images and asks of each whether it was in training. Members are training
images, others are test images that chance kept out. In starts and in pictures made of known images
(``real``, ``k_mean``, ``subset``) the members are those very images.

Shapes: N images, M pictures.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.initialisation import contributors, correctly_classified
from iadd.privacy import Prepared, audit
from iadd.privacy.matched_filter import seek_contributors
from iadd.privacy.membership import attack_shipped_run
from iadd.privacy.statistics import auc_interval, clopper_pearson
from iadd.reproduce.run_record import RunRecord
from iadd.reproduce.small_sets import subset_rows
from iadd.reproduce.teachers import confidence
from iadd.runtime.checkpoint import write_atomically
from iadd.runtime.progress import ProgressListener
from iadd.trajectories.record import TrajectoryBuffer

FALSE_ALARMS = 0.01

ATTACKS = {
    "start": "matched filter, starts",
    "release": "matched filter, pictures",
    "confidence": "confidence",
    "nearest": "nearest picture",
    "lira": "LiRA",
    "rmia": "RMIA",
    "loss": "loss",
}
"""Columns of the table by attack. ``confidence`` is LiRA's statistic of the teachers themselves;
the last four are tier 0 of the audit on students of the set."""

TeachersOf = Callable[[RunRecord, ProgressListener], TrajectoryBuffer]
"""Opens the teachers of a run."""


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """One attack on one run.

    Attributes:
        attack: Name in ``ATTACKS``.
        auc: Area under the ROC curve; 0.5 is chance.
        auc_interval: 95% interval of it (Hanley and McNeil 1982).
        tpr: Share of members found at 1% false alarms.
        tpr_interval: 95% interval of it (Clopper and Pearson 1934).
        members: Members' scores.
        others: Others' scores.
    """

    attack: str
    auc: float
    auc_interval: tuple[float, float]
    tpr: float
    tpr_interval: tuple[float, float]
    members: int
    others: int

    @classmethod
    def of(cls, attack: str, members: Tensor, others: Tensor) -> "Attacked":
        """Measure an attack by its scores, high ones for members."""
        ordered = others.double().sort().values
        values = members.double()
        below = torch.searchsorted(ordered, values, right=False)
        not_above = torch.searchsorted(ordered, values, right=True)
        auc = float((below + not_above).double().mean()) / (2 * len(ordered))
        threshold = ordered[len(ordered) - 1 - int(FALSE_ALARMS * len(ordered))]
        found = int((values > threshold).sum())
        return cls(
            attack=attack,
            auc=auc,
            auc_interval=auc_interval(auc, len(values), len(ordered)),
            tpr=found / len(values),
            tpr_interval=clopper_pearson(found, len(values)),
            members=len(values),
            others=len(ordered),
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Attacked":
        """Read what :func:`dataclasses.asdict` and JSON made of it."""
        intervals = {name: tuple(document[name]) for name in ("auc_interval", "tpr_interval")}
        return cls(**{**document, **intervals})


@dataclass(frozen=True, kw_only=True)
class RunAttacks:
    """What the attacks found in one run.

    Attributes:
        attacks: One per attack that could be made.
        refused: Distance metrics of the audit that refuse, by title.
        metrics: Distance metrics that were run.
    """

    attacks: tuple[Attacked, ...]
    refused: tuple[str, ...]
    metrics: int

    @property
    def tells_nothing(self) -> bool:
        """True if no metric refuses and chance explains every attack."""
        return not self.refused and all(one.auc_interval[0] <= 0.5 for one in self.attacks)


class Audits:
    """Prepares audits of one data set once for all sets with the same labels."""

    def __init__(self, images: ImageSet, *, random_split: bool) -> None:
        self.images, self.random_split = images, random_split
        self._prepared: Prepared | None = None

    def prepared(self, labels: Tensor) -> Prepared:
        """What the audit of a set with these labels starts from."""
        if self._prepared is None or not torch.equal(self._prepared.labels, labels):
            self._prepared = Prepared.of(self.images, labels, random_split=self.random_split)
        return self._prepared


def attack_run(
    record: RunRecord,
    audits: Audits,
    teachers_of: TeachersOf,
    *,
    on_progress: ProgressListener,
    device: torch.device | str = "cpu",
) -> RunAttacks | None:
    """Attack one finished run, and keep what was found in its folder.

    Args:
        record: The run.
        audits: The whole set, and whether chance decided its split; without that only starts are
            attacked.
        teachers_of: Opens the teachers of the run.
        on_progress: Called during the attacks, phase ``auditing``.
        device: Device to compute on.

    Returns:
        The attacks; None where the run has nothing that could be attacked.
    """
    path = record.folder / "attacks.json"
    if not path.exists():
        if record.row.kind == "teacher":
            document = _attack_teachers(record, audits, teachers_of(record, on_progress), device)
        else:
            small_set = record.folder / "distilled.safetensors"
            if not small_set.exists():
                return None
            distilled = DistilledDataset.from_bytes(small_set.read_bytes())
            with record.timed("attacking"):
                document = _attack_set(record, distilled, audits, teachers_of, on_progress, device)
        write_atomically(path, json.dumps(document, indent=1).encode())
    return read_attacks(record)


def read_attacks(record: RunRecord) -> RunAttacks | None:
    """Read what :func:`attack_run` kept of a run; None where it was not attacked."""
    path = record.folder / "attacks.json"
    if not path.exists():
        return None
    document = json.loads(path.read_text())
    return RunAttacks(
        attacks=tuple(Attacked.from_dict(one) for one in document["attacks"]),
        refused=tuple(one["title"] for one in document["metrics"] if one["outcome"] == "refused"),
        metrics=len(document["metrics"]),
    )


def _attack_teachers(
    record: RunRecord,
    audits: Audits,
    buffer: TrajectoryBuffer,
    device: torch.device | str,
) -> dict[str, Any]:
    attacks = []
    if audits.random_split:
        members, others = (
            confidence(buffer, audits.images.part(part), record.config, device=device)
            for part in ("train", "test")
        )
        attacks.append(Attacked.of("confidence", members, others))
    return {"attacks": [asdict(one) for one in attacks], "metrics": []}


def _attack_set(
    record: RunRecord,
    distilled: DistilledDataset,
    audits: Audits,
    teachers_of: TeachersOf,
    on_progress: ProgressListener,
    device: torch.device | str,
) -> dict[str, Any]:
    images, random_split = audits.images, audits.random_split
    used = _used(record, images, teachers_of, on_progress, device)
    attacks = []
    if distilled.initial_images is not None and (used is not None or random_split):
        attacks.append(_filter("start", distilled, distilled.initial_images, images, used))
    if used is not None or random_split:
        attacks.append(_filter("release", distilled, distilled.images, images, used))
    shipped = attack_shipped_run(
        distilled,
        images,
        secret=record.seed,
        random_split=random_split,
        limit=record.config.audit.audit_leak_limit,
        on_progress=on_progress,
        device=device,
    )
    attacks += [
        Attacked(
            attack=attack.name,
            auc=attack.auc,
            auc_interval=attack.auc_interval,
            tpr=attack.tpr,
            tpr_interval=attack.tpr_interval,
            members=attack.units // 2,
            others=attack.units // 2,
        )
        for attack in shipped.attacks
        if attack.stratum == "all" and attack.name in ATTACKS
    ]
    report = audit(
        distilled,
        images,
        membership=[shipped],
        contributors=used if record.row.kind == "distilled" else None,
        prepared=audits.prepared(distilled.labels),
        on_progress=on_progress,
    )
    return {
        "attacks": [asdict(one) for one in attacks if one is not None],
        "metrics": [asdict(metric) for metric in report.metrics],
        "tier_0": [asdict(attack) for attack in shipped.attacks],
        "power": None if shipped.power is None else asdict(shipped.power),
        "explanation": shipped.explanation,
        "verdict": report.verdict,
    }


def _used(
    record: RunRecord,
    images: ImageSet,
    teachers_of: TeachersOf,
    on_progress: ProgressListener,
    device: torch.device | str,
) -> Tensor | None:
    """Return rows of the training images that pictures are made of; None where of none."""
    train = images.part("train")
    if record.row.kind == "subset":
        return subset_rows(train, record.config)
    if record.row.kind != "distilled":
        return None
    correct = None
    if record.config.distillation.start_from == "correct":
        buffer = teachers_of(record, on_progress)
        correct = correctly_classified(train, buffer, record.config, device=device)
    found = contributors(train, record.config, correct=correct)
    return None if found is None else found.flatten().unique()


def _filter(
    name: str, distilled: DistilledDataset, pictures: Tensor, images: ImageSet, used: Tensor | None
) -> Attacked | None:
    """Look in pictures for training images by the matched filter, and count what is found."""
    train, test = images.part("train"), images.part("test")
    training = torch.arange(len(train) + len(test)) < len(train)
    sought = seek_contributors(
        distilled.normalisation.to_intensities(pictures),
        distilled.labels,
        torch.cat([train.images, test.images]),
        torch.cat([train.labels, test.labels]),
        training,
        averaged=distilled.config.distillation.k_mean_images,
    )
    if sought is None:
        return None
    scores = _by_image(sought.scores, sought.strata, torch.cat([train.labels, test.labels]))
    members = scores[: len(train)] if used is None else scores[used]
    return Attacked.of(name, members, scores[len(train) :])


def _by_image(scores: Tensor, strata: Tensor, labels: Tensor) -> Tensor:
    """Put scores, which come class by class, back into the order of the images."""
    found = torch.full((len(labels),), -torch.inf)
    for label in strata.unique():
        found[labels == label] = scores[strata == label]
    return found


def attacks_by_row(records: Sequence[RunRecord]) -> dict[str, RunAttacks]:
    """Read the attacks on the first seed of each row."""
    found: dict[str, RunAttacks] = {}
    for record in records:
        attacks = read_attacks(record)
        if attacks is not None:
            found.setdefault(record.row.name, attacks)
    return found


def attack_notes(found: Mapping[str, RunAttacks], utility: Mapping[str, float]) -> list[str]:
    """Say which rows tell something, and which of the others is the most useful.

    Args:
        found: Attacks by row.
        utility: Balanced accuracy by row.
    """
    notes = [
        "Attacks on the first seed of each row: area under the ROC curve, and share of members "
        "found at 1% false alarms, with 95% intervals that are not adjusted for the number of "
        "attacks. Starts and pictures made of known images are searched for these, others for any "
        "training image; tier 0 attacks draw as many training as test images."
    ]
    telling = [name for name, run in found.items() if not run.tells_nothing]
    silent = [name for name, run in found.items() if run.tells_nothing and name in utility]
    if telling:
        notes.append(
            "An attack finds more than chance, or a metric refuses: " + ", ".join(telling) + "."
        )
    # Teachers are no set of images, and are compared as a yardstick alone.
    sets = [name for name in silent if not name.startswith("teacher")]
    if sets:
        best = max(sets, key=lambda name: utility[name])
        notes.append(
            f"Of the rows where nothing was found ({', '.join(sets)}), {best} has the highest "
            f"balanced accuracy, {utility[best]:.3f}."
        )
    return notes


def attack_cells(
    names: Sequence[str], found: Mapping[str, RunAttacks], figure: str
) -> list[list[str]]:
    """Format attacks by row, heading first.

    Args:
        names: Rows, in order.
        found: Attacks by row.
        figure: ``auc`` or ``tpr``.
    """
    used = [
        name
        for name in ATTACKS
        if any(one.attack == name for run in found.values() for one in run.attacks)
    ]
    cells = [["row", *(ATTACKS[name] for name in used), "near copies"]]
    for name in names:
        if name not in found:
            continue
        by_attack = {one.attack: one for one in found[name].attacks}
        cells.append(
            [
                name,
                *(
                    _format(by_attack[attack], figure) if attack in by_attack else ""
                    for attack in used
                ),
                _metrics(found[name]),
            ]
        )
    return cells


def _format(one: Attacked, figure: str) -> str:
    if figure == "auc":
        low, high = one.auc_interval
        return f"{one.auc:.3f} ({low:.3f} to {high:.3f})"
    low, high = one.tpr_interval
    return f"{one.tpr:.1%} ({low:.1%} to {high:.1%})"


def _metrics(run: RunAttacks) -> str:
    if not run.metrics:
        return ""
    return f"{len(run.refused)} of {run.metrics} refuse" if run.refused else "none refuses"
