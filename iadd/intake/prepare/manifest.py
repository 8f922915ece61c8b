"""The table of the pictures: the columns of the contract, which the portal reads by itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from iadd.intake.prepare.receipt import FileReceipt

MANIFEST = "manifest.csv"
COLUMNS = ("file", "label", "patient", "split", "view", "site")


def manifest_of(receipts: Iterable[FileReceipt]) -> bytes:
    """Return the table as UTF-8, sorted by the files' names."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    accepted = [(one.became, one.row) for one in receipts if one.became and one.row]
    for file, row in sorted(accepted, key=lambda one: one[0]):
        table.writerow([file, row.label, row.patient, row.split, row.view, row.site])
    return text.getvalue().encode()
