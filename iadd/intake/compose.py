"""Makes a dataset of the pictures that were read: decisions, repetitions, the split, findings.

It can be repeated with other decisions without the archive. Legend: N pictures were read, M are in
the dataset, S is their side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iadd.intake.accounting import Accounting
from iadd.intake.classes import check_splits, usable_classes
from iadd.intake.decisions import NO_DECISIONS, Decisions
from iadd.intake.edit import edit_pixels, edit_record
from iadd.intake.image_set_file import write_image_set
from iadd.intake.layout.class_names import without_people
from iadd.intake.quality.clusters import group_images
from iadd.intake.quality.findings import Finding
from iadd.intake.quality.report import compare, find_pairs
from iadd.intake.quality.split import split_images
from iadd.intake.quality.thumbnails import forget
from iadd.intake.records import Record
from iadd.intake.splits import SPLITS
from iadd.runtime.progress import ProgressListener, ignore_progress

Pixels = npt.NDArray[np.uint8]

_BLOCK = 512
"""Pictures between two times that read pages of the file are given back."""


@dataclass(frozen=True)
class Repetition:
    """A picture that is left out because its pixels are there already, and why."""

    record: Record
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A dataset.

    Attributes:
        classes: images by class and split, ``{class: {"train": n, …}}``.
        records: of the M pictures, in the order of the image set.
        pixels: uint8 (M, S, S), in the same order.
        labels: index into `classes` of each.
        splits: index into `SPLITS` of each.
        findings: what a model may suffer from.
        repetitions: pictures that are there twice, or in two classes.
        ignored: pictures that decisions and lost classes leave out, by kind.
        split_by: what the split keeps together: ``given``, ``patient``, ``near_duplicates``; or
            ``image`` where a class has too few patients to be split by them.
    """

    classes: dict[str, dict[str, int]]
    records: list[Record]
    pixels: Pixels
    labels: list[int]
    splits: list[int]
    findings: list[Finding]
    repetitions: list[Repetition]
    ignored: Counter[str]
    split_by: str


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
    same = _Same(records)
    decisions, texts = same.spread(decisions), same.paths(texts)
    kept = [
        (number, edit_record(record, pixels[number], decisions))
        for number, record in enumerate(records)
        if record.path not in decisions.leave_out
    ]
    ignored["left out by a decision"] += len(records) - len(kept)
    members, repetitions = _by_class(kept)
    used, lost = usable_classes(
        {name: len(own) for name, own in members.items()},
        accounting,
        conflicts=any(one.code == "conflicting_label" for one in repetitions),
    )
    for name in lost:
        ignored["classes with too few images"] += len(members[name])
    chosen = [one for name in used for one in members[name]]
    labels = [label for label, name in enumerate(used) for _ in members[name]]
    mine = _write_chosen(out / "chosen.pixels", pixels, chosen, decisions)
    own = [record for _, record in chosen]
    digests = [bytes.fromhex(record.digest) for record in own]
    patients = [record.patient for record in own]
    given = [None if one.split is None else SPLITS.index(one.split) for one in own]
    names = [record.shown for record in own]
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
        views=[record.view for record in own],
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
            *_of_records(own),
            *_of_lost(lost),
            *_of_texts(own, texts - decisions.texts_decided),
        ],
        repetitions=repetitions,
        ignored=+ignored,
        split_by="image" if by_image else _split_by(given, patients),
    )


class _Same:
    """Files with equal pixels: what is decided about one holds for all, whichever is used.

    Args:
        records: as read, before any decision.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._digests = {record.path: record.digest for record in records}
        self._paths: defaultdict[str, list[str]] = defaultdict(list)
        for record in records:
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


def _by_class(
    kept: Sequence[tuple[int, Record]],
) -> tuple[dict[str, list[tuple[int, Record]]], list[Repetition]]:
    """Group pictures by class, in the order of their pixels, each once."""
    same_pixels: defaultdict[str, list[tuple[int, Record]]] = defaultdict(list)
    for number, record in kept:
        same_pixels[record.digest].append((number, record))
    members: defaultdict[str, list[tuple[int, Record]]] = defaultdict(list)
    repetitions: list[Repetition] = []
    for digest in sorted(same_pixels):
        # Of several splits the last one counts: no model learns what it is tested on.
        same = sorted(same_pixels[digest], key=lambda one: (-_stated(one[1]), one[1].position))
        if len({record.class_name for _, record in same}) > 1:
            repetitions += [
                Repetition(
                    record,
                    "conflicting_label",
                    "The same picture belongs to several classes; keep it in the right one.",
                )
                for _, record in same
            ]
            continue
        members[same[0][1].class_name].append(same[0])
        repetitions += [
            Repetition(record, "duplicate", "It shows the same pixels as another picture.")
            for _, record in same[1:]
        ]
    return members, repetitions


def _stated(record: Record) -> int:
    return -1 if record.split is None else SPLITS.index(record.split)


def _write_chosen(
    path: Path, pixels: Pixels, chosen: Sequence[tuple[int, Record]], decisions: Decisions
) -> Pixels:
    """Write the pictures of the dataset in its order; return them as a memory map."""
    size = pixels.shape[-1]
    with path.open("wb") as file:
        for count, (number, record) in enumerate(chosen):
            file.write(edit_pixels(pixels[number], record, decisions).tobytes())
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


def _of_records(records: Sequence[Record]) -> Iterator[Finding]:
    """Findings that were made while the files were read."""
    for code, has in (
        ("pages", lambda record: record.pages_left_out > 0),
        ("metadata", lambda record: bool(record.metadata)),
        ("secondary_capture", lambda record: "secondary_capture" in record.flags),
    ):
        found = [number for number, record in enumerate(records) if has(record)]
        if found:
            shown = tuple(records[number].shown for number in found)
            yield Finding(code, len(found), shown, tuple(found))


def _of_texts(records: Sequence[Record], texts: frozenset[str]) -> Iterator[Finding]:
    found = [number for number, record in enumerate(records) if record.path in texts]
    if found:
        shown = tuple(records[number].shown for number in found)
        yield Finding("text_in_picture", len(found), shown, tuple(found))


def _of_lost(lost: Sequence[str]) -> Iterator[Finding]:
    if lost:
        yield Finding("lost_class", len(lost), without_people(lost))
