"""What archives of the same make share, so that a mapping is confirmed once."""

from __future__ import annotations

import hashlib
import json

from iadd.intake.survey import Survey

_MOST_NAMES = 40


def layout_signature(found: Survey) -> str:
    """Hash the headings of the tables and the folders of each level.

    A level of many folders counts as that alone: patients and studies differ from export to export.
    """
    levels: dict[int, set[str]] = {}
    for file in found.files:
        for level, folder in enumerate(file.parts[:-1]):
            levels.setdefault(level, set()).add(folder.casefold())
    document = {
        "tables": sorted([table.stem.casefold(), *table.columns] for table in found.tables),
        "levels": [
            sorted(names) if len(names) <= _MOST_NAMES else "many"
            for _, names in sorted(levels.items())
        ],
    }
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()
