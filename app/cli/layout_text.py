"""The layout of an archive as lines for a terminal: what the page of the portal shows.

It reads the JSON of `GET /datasets/{id}/layout`, so that it needs nothing but the base install.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.cli.output import aligned, words

SPLITS = ("train", "validation", "test", "")
MOST_CLASSES = 30
MOST_COLUMNS = 30


def layout_lines(layout: Mapping[str, Any]) -> Iterator[str]:
    """Levels, tables, names, readings and questions."""
    yield from _levels(layout["levels"])
    for table in layout["tables"]:
        yield from _table(table)
    yield from _names(layout.get("encoding"))
    if layout.get("empty_classes"):
        yield f"Folders without a picture: {', '.join(layout['empty_classes'])}"
    readings = layout["readings"]
    for number, reading in enumerate(readings, start=1):
        yield ""
        yield from _reading(reading, f"Reading {number}" if len(readings) > 1 else "Reading")
    for note in layout.get("notes", ()):
        yield f"Note: {note}"
    yield from question_lines(layout)


def question_lines(layout: Mapping[str, Any]) -> Iterator[str]:
    """The questions alone."""
    if layout["questions"]:
        yield ""
        yield "Questions:"
        for question in layout["questions"]:
            yield f"- {question}"


def _levels(levels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not levels:
        yield "The pictures lie in no folder."
        return
    yield "Folders, from the outside in:"
    rows = [("level", "role", "folders", "files", "such as")]
    for number, level in enumerate(levels, start=1):
        samples = ", ".join(level["samples"]) + ("" if level["names"] <= 5 else ", …")
        rows.append((str(number), level["role"], str(level["names"]), str(level["files"]), samples))
    yield from aligned(rows, right=(2, 3))


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield (
        f"Table {table['file']}: {table['rows']} rows, {table['rows_with_file']} of them name a "
        "file."
    )
    rows = []
    for column in table["columns"][:MOST_COLUMNS]:
        role = column["role"] or ("0/1 finding" if column["wide"] else "not used")
        rows.append((column["name"], role, ", ".join(column["samples"])))
    yield from aligned(rows)
    if len(table["columns"]) > MOST_COLUMNS:
        yield f"  and {len(table['columns']) - MOST_COLUMNS} more columns"
    for problem in table["problems"]:
        yield f"  {problem}"


def _names(encoding: Mapping[str, Any] | None) -> Iterator[str]:
    if encoding is None or encoding["sure"]:
        return
    yield ""
    yield f"Names are read as {encoding['guess']}. They could also be:"
    rows = [(name, ", ".join(encoding["samples"].get(name, ()))) for name in encoding["candidates"]]
    yield from aligned(rows)


def _reading(reading: Mapping[str, Any], title: str) -> Iterator[str]:
    yield f"{title}: {reading['why']}"
    classes = reading["classes"]
    splits = [split for split in SPLITS if any(split in counts for counts in classes.values())]
    rows = [("class", *(split or "no split" for split in splits))]
    rows += [
        (name, *(str(classes[name].get(split, 0)) for split in splits))
        for name in list(classes)[:MOST_CLASSES]
    ]
    yield from aligned(rows, right=range(1, len(splits) + 1))
    if len(classes) > MOST_CLASSES:
        yield f"  and {len(classes) - MOST_CLASSES} more classes"
    for code, count in reading["left_out"].items():
        yield f"  left out: {count} ({words(code)})"
