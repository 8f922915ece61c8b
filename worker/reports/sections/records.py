"""Section of the internal audit: what the membership audit kept of single records."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.reports import privacy_words as words
from worker.reports.blocks import Block, Section, Table, Text
from worker.reports.formatting import number
from worker.reports.inputs import RecordScore

MOST = 40
"""Records in the table, the most exposed first."""


def section(document: Mapping[str, Any], records: Sequence[RecordScore]) -> Section:
    """Show the records whose scores differ most between runs with and without them."""
    unit = document["privacy"].get("unit")
    blocks: list[Block] = [
        Text(
            f"Which {words.people(unit)} would an attacker recognise first? The numbers are those "
            "of the audit, in an order that only its secret seed gives; they name no patient."
        )
    ]
    if not records:
        blocks.append(
            Text("Scores of single records: not measured. No repeated runs (twins) were kept.")
        )
        return Section("records", "Scores of single records", blocks)
    ranked = sorted(records, key=lambda row: (-abs(row.separation), row.number))
    blocks.append(
        Table(
            ["Record", "Class", "Runs in / out", "Mean in", "Mean out", "Separation"],
            [
                [
                    f"{row.number}",
                    row.class_name,
                    f"{row.runs_in} / {row.runs_out}",
                    f"{row.mean_in:.3f}",
                    f"{row.mean_out:.3f}",
                    f"{row.separation:.2f}",
                ]
                for row in ranked[:MOST]
            ],
            caption="Scores of single records",
            words=frozenset({1}),
            widths=[0.8, 1.6, 1.2, 1.0, 1.0, 1.0],
        )
    )
    runs = max(row.runs_in + row.runs_out for row in records)
    shown = f"The first {MOST} of {number(len(records))} records. " if len(records) > MOST else ""
    blocks.append(
        Text(
            f"{shown}Separation: difference of the mean scores, in pooled standard deviations. "
            f"With {number(runs)} runs, large values of a few records are expected by chance: "
            "among so many records, somebody is always the most exposed. A claim about one "
            "patient needs a list chosen before the audit.",
            "note",
        )
    )
    return Section("records", "Scores of single records", blocks)
