"""The table of the pictures: columns of the contract, which the portal reads by itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from iadd.intake.layout.mapping import Mapping, Role, TableMapping
from iadd.intake.prepare.receipt import FileReceipt

MANIFEST = "manifest.csv"
_ALWAYS = ("file", "label")
_WHERE_KNOWN = ("patient", "split", "view", "site")
_LOOKED_AT = 200
"""Rows by which the portal judges a column: one that says nothing in them would be asked about."""


def manifest_mapping(manifest: bytes) -> dict[str, Any]:
    """Return what the folders and the table of a packed set mean, in the JSON of `Mapping`.

    The portal needs none for most sets; it asks where classes are small or spelt alike.
    """
    columns = next(csv.reader([manifest.decode().splitlines()[0]]))
    used = {column: column for column in columns}
    return Mapping(levels=(Role.IGNORE,), csv=TableMapping(MANIFEST, {**used})).to_dict()


def manifest_of(receipts: Iterable[FileReceipt]) -> bytes:
    """Return the table as UTF-8, sorted by the files' names; columns that say nothing left out."""
    accepted = sorted(
        ((one.became, one.row) for one in receipts if one.became and one.row),
        key=lambda pair: pair[0],
    )
    columns = [
        *_ALWAYS,
        *(
            name
            for name in _WHERE_KNOWN
            if any(getattr(row, name) for _, row in accepted[:_LOOKED_AT])
        ),
    ]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    for file, row in accepted:
        table.writerow([file, *(getattr(row, name) for name in columns[1:])])
    return text.getvalue().encode()
