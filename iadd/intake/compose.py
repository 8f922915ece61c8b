"""Makes a dataset of the pictures that were read: decisions, repetitions, the split, findings.

It can be repeated with other decisions without the archive. Legend: N pictures were read, M are in
the dataset, S is their side.
"""

from __future__ import annotations

import itertools
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iadd.intake.accounting import Accounting
from iadd.intake.classes import check_splits, usable_classes
from iadd.intake.decisions import NO_DECISIONS, Decisions
from iadd.intake.image_set_file import write_image_set
from iadd.intake.kept import METADATA, PAGES, SECONDARY, TEXT, UNSTATED, Kept, ShownNames
from iadd.intake.layout.class_names import without_people
from iadd.intake.quality.clusters import group_images
from iadd.intake.quality.findings import NAMES_SHOWN, Finding
from iadd.intake.quality.report import compare, find_pairs
from iadd.intake.quality.split import split_images
from iadd.intake.quality.thumbnails import forget
from iadd.intake.records import Record
from iadd.intake.splits import SPLITS
from iadd.runtime.progress import ProgressListener, ignore_progress

Pixels = npt.NDArray[np.uint8]

_FINDING_OF = {
    PAGES: "pages",
    METADATA: "metadata",
    SECONDARY: "secondary_capture",
    TEXT: "text_in_picture",
}
_BLOCK = 512
"""Pictures between two times that read pages of the file are given back."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """A picture that is left out because its pixels are there already, and why."""

    shown: str
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A dataset.

    Attributes:
        classes: images by class and split, ``{class: {"train": n, …}}``.
        records: of the M pictures, in the order of the image set; each is read when asked for.
        pixels: uint8 (M, S, S), in the same order.
        labels: index into `classes` of each.
        splits: index into `SPLITS` of each.
        findings: what a model may suffer from.
        repetitions: pictures that are there twice, or in two classes.
        ignored: pictures that decisions and lost classes leave out, by kind.
        split_by: what the split keeps together: ``given``, ``patient``, ``near_duplicates``; or
            ``image`` where a class has too few patients to be split by them.
        patients: keyed hash of each picture's patient, None where it is not known.
        sizes: how many pictures have a width and height.
    """

    classes: dict[str, dict[str, int]]
    records: Sequence[Record]
    pixels: Pixels
    labels: list[int]
    splits: list[int]
    findings: list[Finding]
    repetitions: list[Repetition]
    ignored: Counter[str]
    split_by: str
    patients: list[str | None]
    sizes: Counter[tuple[int, int]]


def compose(
    pixels: Pixels,
    records: Sequence[Record],
    out: Path,
    *,
    accounting: Accounting,
    decisions: Decisions = NO_DECISIONS,
    texts: frozenset[str] = frozenset(),
    numbered_by_class: bool = False,
    seed: int = 0,
    on_progress: ProgressListener = ignore_progress,
) -> Composed:
    """Compose a dataset and write its image set.

    The order of the images depends on their pixels alone, so the same pictures packed in another
    way give the same set.

    Args:
        pixels: uint8 (N, S, S), as read; possibly a memory map.
        records: of each.
        out: folder in which ``images.safetensors`` and ``chosen.pixels`` are written.
        accounting: of the archive, for messages.
        decisions: what a steward decided before.
        texts: hashes of the pictures in which text was found.
        numbered_by_class: whether a patient of one class and one of another class may have one
            number, as where numbers stand in file names; they are kept together all the same.
        seed: of the split.
        on_progress: phase ``comparing``.

    Raises:
        DatasetError: nothing is left that a classifier can learn from.
    """
    ignored: Counter[str] = Counter()
    same = _Same(records, decisions, texts)
    decisions, texts = same.spread(decisions), same.paths(texts)
    kept = Kept(pixels, records, decisions, texts - decisions.texts_decided)
    ignored["left out by a decision"] += len(records) - len(kept.numbers)
    members, repetitions = _by_class(kept)
    used, lost = usable_classes(
        {name: len(own) for name, own in members.items()},
        accounting,
        conflicts=any(one.code == "conflicting_label" for one in repetitions),
    )
    for name in lost:
        ignored["classes with too few images"] += len(members[name])
    chosen = array("q", itertools.chain.from_iterable(members[name] for name in used))
    labels = [label for label, name in enumerate(used) for _ in members[name]]
    del members
    mine = _write_chosen(out / "chosen.pixels", pixels, chosen, kept)
    own = kept.records_of(chosen)
    names = ShownNames(own)
    digests = [kept.digests[place].tobytes() for place in chosen]
    patients = [kept.patients[place] for place in chosen]
    given = [None if kept.splits[place] == UNSTATED else kept.splits[place] for place in chosen]
    pairs = find_pairs(mine, digests, on_progress)
    groups = group_images(len(own), [(first, second) for first, second, _ in pairs], patients)
    splits, by_image = _split(labels, groups, digests, seed, given, used)
    findings = compare(
        mine,
        labels,
        digests,
        _counted(patients, labels, numbered_by_class=numbered_by_class),
        splits,
        names,
        classes=used,
        views=[kept.views[place] for place in chosen],
        pairs=pairs,
        on_progress=on_progress,
    )
    write_image_set(
        out / "images.safetensors",
        mine,
        range(len(own)),
        labels=labels,
        splits=splits,
        classes=used,
        groups=_numbered(groups),
        patients=all(patient is not None for patient in patients),
    )
    return Composed(
        classes=_count(used, labels, splits),
        records=own,
        pixels=mine,
        labels=labels,
        splits=splits,
        findings=[
            *findings,
            *_of_notes(kept, chosen, names, (PAGES, METADATA, SECONDARY)),
            *_of_lost(lost),
            *_of_notes(kept, chosen, names, (TEXT,)),
        ],
        repetitions=repetitions,
        ignored=+ignored,
        split_by="image" if by_image else _split_by(given, patients),
        patients=patients,
        sizes=Counter((kept.widths[place], kept.heights[place]) for place in chosen),
    )


class _Same:
    """Files with equal pixels: what is decided about one holds for all, whichever is used.

    Args:
        records: as read, before any decision.
        decisions: about some of them.
        texts: hashes of more that are asked about.
    """

    def __init__(
        self, records: Sequence[Record], decisions: Decisions, texts: frozenset[str]
    ) -> None:
        named = texts.union(
            decisions.leave_out, decisions.turn, decisions.keep_text, decisions.blank
        )
        self._digests: dict[str, str] = {}
        self._paths: defaultdict[str, list[str]] = defaultdict(list)
        if not named:
            return
        for record in records:
            if record.path in named:
                self._digests[record.path] = record.digest
        wanted = frozenset(self._digests.values())
        for record in records:
            if record.digest in wanted:
                self._paths[record.digest].append(record.path)

    def paths(self, some: Iterable[str]) -> frozenset[str]:
        """Return these files and those with equal pixels."""
        return frozenset(
            path for one in some for path in self._paths.get(self._digests.get(one, ""), (one,))
        )

    def spread(self, decisions: Decisions) -> Decisions:
        """Return the decisions about these files and those with equal pixels."""
        return replace(
            decisions,
            leave_out=self.paths(decisions.leave_out),
            turn=self.paths(decisions.turn),
            keep_text=self.paths(decisions.keep_text),
            blank={
                path: boxes for one, boxes in decisions.blank.items() for path in self.paths([one])
            },
        )


def _by_class(kept: Kept) -> tuple[dict[str, array[int]], list[Repetition]]:
    """Group pictures by class, in the order of their pixels, each once."""
    members: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
    repetitions: list[Repetition] = []
    shown = ShownNames(kept.records_of(range(len(kept.numbers))))
    for same in _runs(kept):
        if len({kept.class_codes[place] for place in same}) > 1:
            repetitions += [
                Repetition(
                    shown[place],
                    "conflicting_label",
                    "The same picture belongs to several classes; keep it in the right one.",
                )
                for place in same
            ]
            continue
        members[kept.classes[kept.class_codes[same[0]]]].append(same[0])
        repetitions += [
            Repetition(shown[place], "duplicate", "It shows the same pixels as another picture.")
            for place in same[1:]
        ]
    return members, repetitions


def _runs(kept: Kept) -> Iterator[list[int]]:
    """Yield the pictures of each digest, in order."""
    if not kept.numbers:
        return
    order = kept.in_order()
    sorted_digests = kept.digests[order]
    changes = (sorted_digests[1:] != sorted_digests[:-1]).any(axis=1)
    starts = [0, *(np.flatnonzero(changes) + 1).tolist(), len(order)]
    for start, end in itertools.pairwise(starts):
        yield order[start:end].tolist()


def _write_chosen(path: Path, pixels: Pixels, chosen: Sequence[int], kept: Kept) -> Pixels:
    """Write the pictures of the dataset in its order; return them as a memory map."""
    size = pixels.shape[-1]
    with path.open("wb") as file:
        for count, place in enumerate(chosen):
            file.write(kept.grey(place).tobytes())
            if count % _BLOCK == 0:
                forget(pixels)
    forget(pixels)
    return np.memmap(path, np.uint8, "r", shape=(len(chosen), size, size))


def _count(
    names: Sequence[str], labels: Sequence[int], splits: Sequence[int]
) -> dict[str, dict[str, int]]:
    counted = Counter(zip(labels, splits, strict=True))
    return {
        name: {split: counted[label, part] for part, split in enumerate(SPLITS)}
        for label, name in enumerate(names)
    }


def _split(
    labels: Sequence[int],
    groups: Sequence[int],
    digests: Sequence[bytes],
    seed: int,
    given: Sequence[int | None],
    names: Sequence[str],
) -> tuple[list[int], bool]:
    """Split by group; the images of a class of too few groups each by itself.

    Returns:
        The part of each image, and whether some groups were parted.

    Raises:
        DatasetError: a class lacks a part all the same.
    """
    splits = [int(part) for part in split_images(labels, groups, digests, seed, given)]
    short = {label for label, parts in _parts(labels, splits).items() if len(parts) < len(SPLITS)}
    if short and not any(split is not None for split in given):
        # Findings say what is in two splits then, and the report that images were split.
        count = len(groups)
        alone = [
            count + number if label in short else group
            for number, (label, group) in enumerate(zip(labels, groups, strict=True))
        ]
        splits = [int(part) for part in split_images(labels, alone, digests, seed, given)]
    for label, parts in sorted(_parts(labels, splits).items()):
        check_splits(names[label], parts, SPLITS, given=any(split is not None for split in given))
    return splits, bool(short)


def _numbered(groups: Sequence[int]) -> list[int]:
    """Number the groups from 0, in the order in which they come first."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(group, len(numbers)) for group in groups]


def _counted(
    patients: Sequence[str | None], labels: Sequence[int], *, numbered_by_class: bool
) -> list[str | None]:
    """What stands for one patient where patients are counted."""
    if not numbered_by_class:
        return list(patients)
    return [
        None if patient is None else f"{patient} {label}"
        for patient, label in zip(patients, labels, strict=True)
    ]


def _parts(labels: Sequence[int], splits: Sequence[int]) -> dict[int, set[int]]:
    parts: defaultdict[int, set[int]] = defaultdict(set)
    for label, split in zip(labels, splits, strict=True):
        parts[label].add(split)
    return parts


def _split_by(given: Sequence[int | None], patients: Sequence[str | None]) -> str:
    if any(split is not None for split in given):
        return "given"
    return "patient" if all(patient is not None for patient in patients) else "near_duplicates"


def _of_notes(
    kept: Kept, chosen: Sequence[int], names: Sequence[str], notes: Sequence[int]
) -> Iterator[Finding]:
    """Findings of single pictures, made while the files were read or searched for text."""
    for note in notes:
        found = tuple(i for i, place in enumerate(chosen) if kept.notes[place] & note)
        if found:
            shown = tuple(names[i] for i in found[:NAMES_SHOWN])
            yield Finding(_FINDING_OF[note], len(found), shown, found)


def _of_lost(lost: Sequence[str]) -> Iterator[Finding]:
    if lost:
        yield Finding("lost_class", len(lost), without_people(lost))
