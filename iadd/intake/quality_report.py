"""The quality report: what became of each entry, what is in the dataset, what a model may suffer.

It goes to the owner's organisation alone. Names in it are masked: words that could name a patient
are replaced by keyed hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from iadd.intake.accounting import Accounting
from iadd.intake.compose import Composed
from iadd.intake.quality.findings import NAMES_SHOWN, Finding
from iadd.intake.quality.thumbnails import blocks
from iadd.intake.read import ReadPictures
from iadd.intake.splits import SPLITS

FIRST_REFUSED = 1_000
"""Refused files that the report lists itself; `refused_lines` lists all."""
_MOST_SIZES = 8
_BRIGHTNESS_BINS = 16


def quality_report(
    read: ReadPictures | None, composed: Composed | None, refused: Sequence[dict[str, str]]
) -> dict[str, Any]:
    """Report on a dataset, or on an archive of which none could be made.

    Args:
        read: what the archive held; None when it could not be read to its end.
        composed: the dataset, None when there is none.
        refused: of all files (`refused_files`).
    """
    classes = {} if composed is None else composed.classes
    sizes = [sum(counts.values()) for counts in classes.values()]
    ignored = Counter[str]()
    if read is not None:
        ignored += read.accounting.ignored
    if composed is not None:
        ignored += composed.ignored
    elif read is not None and read.records:
        ignored["not used"] += len(read.records)  # they were read, and no dataset came of them
    by_code = Counter(file["code"] for file in refused)
    return {
        "entries": len(refused) if read is None else read.accounting.entries,
        "images": sum(sizes),
        "image_size": None if read is None else read.pixels.shape[-1],
        "classes": classes,
        "splits": {split: sum(counts[split] for counts in classes.values()) for split in SPLITS},
        "split_by": None if composed is None else composed.split_by,
        "patients": None if composed is None or read is None else _patients(read, composed),
        # A network that always predicts the largest class reaches this accuracy: the reason to
        # read the balanced accuracy.
        "largest_class_share": max(sizes) / sum(sizes) if sizes else None,
        "findings": [] if composed is None or read is None else _findings(read, composed),
        "refused": list(refused[:FIRST_REFUSED]),
        "refused_groups": _groups(refused),
        "refused_count": len(refused),
        "refused_by_code": dict(sorted(by_code.items())),
        "duplicates": by_code["duplicate"],
        "ignored": [{"reason": kind, "count": count} for kind, count in sorted(ignored.items())],
        "charts": None if composed is None else _charts(composed),
    }


def refused_files(accounting: Accounting | None, composed: Composed | None) -> list[dict[str, str]]:
    """List every file that was left out for a defect or as a repetition, by name."""
    files: list[tuple[str, str, str]] = []
    if accounting is not None:
        files += [("/".join(one.parts), one.code, one.reason) for one in accounting.refused]
    if composed is not None:
        files += [(one.shown, one.code, one.reason) for one in composed.repetitions]
    return [{"name": name, "code": code, "reason": why} for name, code, why in sorted(files)]


def _groups(refused: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Group refused files by code, the most frequent first, with the first names."""
    files: dict[str, list[dict[str, str]]] = {}
    for one in refused:
        files.setdefault(one["code"], []).append(one)
    return [
        {
            "code": code,
            "reasons": list(dict.fromkeys(one["reason"] for one in own)),
            "count": len(own),
            "names": [one["name"] for one in own[:NAMES_SHOWN]],
        }
        for code, own in sorted(files.items(), key=lambda group: (-len(group[1]), group[0]))
    ]


def _findings(read: ReadPictures, composed: Composed) -> list[dict[str, Any]]:
    order = {"hold": 0, "warn": 1, "info": 2}
    joined = join_findings([*read.findings, *composed.findings])
    return [
        {
            **one.to_dict(),
            "pictures": len(one.indices),
            "has_picture": bool(one.indices or one.pairs),
        }
        for one in sorted(joined, key=lambda one: (order[one.severity], one.code))
    ]


def join_findings(findings: Sequence[Finding]) -> list[Finding]:
    """Join those of one kind, of the layout and of the pictures."""
    joined: dict[str, Finding] = {}
    for one in findings:
        other = joined.get(one.code)
        joined[one.code] = (
            one
            if other is None
            else Finding(
                one.code,
                other.count + one.count,
                other.names + one.names,
                other.indices + one.indices,
                other.pairs + one.pairs,
            )
        )
    return list(joined.values())


def finding_files(read: ReadPictures, composed: Composed) -> dict[str, list[str]]:
    """Return, by finding, the hashes of the files that its action would be done to."""
    return {
        one.code: [composed.records[number].path for number in one.indices]
        for one in join_findings([*read.findings, *composed.findings])
        if one.indices
    }


def _patients(read: ReadPictures, composed: Composed) -> int | None:
    """Count the patients where each picture names one."""
    by_class = read.mapping.patient_in_name
    patients = {
        # Numbers in file names begin anew in each class, as `compose` counts them too.
        None if patient is None else (patient, by_class and label)
        for patient, label in zip(composed.patients, composed.labels, strict=True)
    }
    return None if None in patients else len(patients)


def _charts(composed: Composed) -> dict[str, Any]:
    sizes = composed.sizes
    shown = {
        f"{width}×{height}": count for (width, height), count in sizes.most_common(_MOST_SIZES)
    }
    if others := sizes.total() - sum(shown.values()):
        shown["other"] = others
    means = _means(composed.pixels)
    labels = np.asarray(composed.labels)
    return {
        "sizes": shown,
        "brightness": {
            name: np.histogram(means[labels == label], bins=_BRIGHTNESS_BINS, range=(0, 256))[
                0
            ].tolist()
            for label, name in enumerate(composed.classes)
        },
    }


def _means(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Mean grey of each picture."""
    means = np.zeros(len(pixels))
    for block in blocks(pixels):
        means[block] = pixels[block].mean(axis=(1, 2))
    return means
