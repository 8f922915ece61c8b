"""Removes withdrawn pictures from what was read of an archive."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from iadd.intake.read import ACCOUNTING, PIXELS, RECORDS, load_pictures
from iadd.intake.records import write_records


def withdraw(
    source: Path, target: Path, *, hashes: Collection[str], shown: Collection[str] = ()
) -> int:
    """Write a reading without some files.

    Args:
        source: folder of `iadd.intake.read.READ_FILES`.
        target: another folder, for the same files.
        hashes: of paths and folders.
        shown: names as quality reports show them.

    Returns:
        How many pictures were removed.
    """
    read = load_pictures(source)
    named, names = frozenset(hashes), frozenset(shown)
    kept = [
        number
        for number, record in enumerate(read.records)
        if not record.is_one_of(named) and record.shown not in names
    ]
    with (target / PIXELS).open("wb") as file:
        for number in kept:
            file.write(read.pixels[number].tobytes())
    write_records(target / RECORDS, (read.records[number] for number in kept))
    removed = len(read.records) - len(kept)
    document = json.loads((source / ACCOUNTING).read_text())
    document["accepted"] -= removed
    document["ignored"]["withdrawn"] = document["ignored"].get("withdrawn", 0) + removed
    document["refused"] = [file for file in document["refused"] if file[0] not in names]
    # Names that findings of the layout show may be among those that are withdrawn.
    document["findings"] = [{**one, "names": []} for one in document["findings"]]
    (target / ACCOUNTING).write_text(json.dumps(document))
    return removed
