"""The mapping of an archive as the fields of a form: filled in from a reading, and read back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from app.core.types import JsonObject
from iadd.intake.layout.mapping import COLUMN_ROLES, TABLE_NAME_COLUMN, Role

ROLES = tuple(role.value for role in Role)
SPLIT_NAMES = ("train", "validation", "test")
UNCERTAIN = ("leave_out", "positive", "negative")
SEVERAL = ("leave_out", "first_by_priority", "one_against_the_rest")
LISTS = ("file", "label")
"""Roles that several columns of a table may share."""
SPARE_WORDS = 2
"""Empty lines for split words that were not found by themselves."""
MOST_CHOICES = 40
"""With more classes the class that another becomes part of is typed, not chosen."""


@dataclass(frozen=True, kw_only=True)
class LevelRow:
    """One level of folders, with the role that is filled in."""

    number: int
    samples: Sequence[str]
    names: int
    files: int
    role: str


@dataclass(frozen=True, kw_only=True)
class ColumnRow:
    """One column of a table, with the role that is filled in.

    Attributes:
        name: Its heading, or `TABLE_NAME_COLUMN` for the name of the table itself.
        wide: True for one finding of a wide 0/1 table, which is ticked or not.
    """

    number: int
    name: str
    samples: Sequence[str]
    role: str
    wide: bool

    @property
    def is_table_name(self) -> bool:
        return self.name == TABLE_NAME_COLUMN


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """One table with its columns."""

    number: int
    file: str
    rows: int
    rows_with_file: int
    problems: Sequence[str]
    columns: Sequence[ColumnRow]
    is_used: bool


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One class, with what is filled in.

    Attributes:
        images: None where the reading counts them with the class it becomes part of.
        into: The class that it becomes part of, "" for none.
    """

    name: str
    images: int | None
    is_left_out: bool
    into: str


@dataclass(frozen=True, kw_only=True)
class MappingForm:
    """All fields of the details."""

    encoding: str
    levels: Sequence[LevelRow]
    tables: Sequence[TableRows]
    words: Sequence[tuple[str, str]]
    classes: Sequence[ClassRow]
    folders: Sequence[tuple[str, bool]]
    """Folders that are left out, and whether they still are to be."""
    uncertain: str
    several: str
    priority: str
    positive: str
    rest: str
    patient_in_name: bool

    @property
    def class_names(self) -> list[str]:
        return [row.name for row in self.classes]

    @property
    def chooses_classes(self) -> bool:
        return len(self.classes) <= MOST_CHOICES


def form_of(
    layout: Mapping[str, Any], reading: Mapping[str, Any], mapping: Mapping[str, Any] | None = None
) -> MappingForm:
    """Fill in the form.

    Args:
        layout: What was found (`iadd.intake.layout.layout.Layout.to_dict`).
        reading: One of its readings, whose classes are listed.
        mapping: What is filled in; that of the reading where it is None.
    """
    proposed = reading["mapping"]
    mapping = proposed if mapping is None else mapping
    several = mapping["several_labels"]
    classes = list(_classes(reading, proposed, mapping))
    names = {row.name for row in classes}
    return MappingForm(
        encoding=mapping["encoding"] or (layout["encoding"] or {}).get("guess", ""),
        levels=[
            LevelRow(
                number=number,
                samples=level["samples"],
                names=level["names"],
                files=level["files"],
                role=_at(mapping["levels"], number, Role.IGNORE.value),
            )
            for number, level in enumerate(layout["levels"])
        ],
        tables=[
            _table(number, table, mapping["csv"]) for number, table in enumerate(layout["tables"])
        ],
        words=sorted(_words(layout, mapping).items()),
        classes=classes,
        folders=[
            (entry, entry in mapping["leave_out"])
            for entry in dict.fromkeys([*proposed["leave_out"], *mapping["leave_out"]])
            if entry not in names
        ],
        uncertain=mapping["uncertain"],
        several=several["how"],
        priority="\n".join(several.get("priority", ())),
        positive=several.get("positive") or "",
        rest=several.get("rest", "Other"),
        patient_in_name=mapping["patient_in_name"],
    )


def _at(values: Sequence[str], number: int, otherwise: str) -> str:
    return values[number] if number < len(values) else otherwise


def _table(number: int, table: Mapping[str, Any], csv: Mapping[str, Any] | None) -> TableRows:
    parts = [] if csv is None else [csv, *csv.get("more", ())]
    columns: Mapping[str, Any] = next(
        (part["columns"] for part in parts if part["file"] == table["file"]), {}
    )
    roles = {
        name: role
        for role, named in columns.items()
        for name in (named if isinstance(named, list) else [named])
    }
    rows = [
        ColumnRow(
            number=place,
            name=column["name"],
            samples=column["samples"],
            # Of a table that is not used, what its columns look like is filled in.
            role=roles.get(column["name"], "") if columns else column["role"] or "",
            wide=column["wide"],
        )
        for place, column in enumerate(table["columns"])
    ]
    own_name = ColumnRow(
        number=len(rows),
        name=TABLE_NAME_COLUMN,
        samples=(),
        role=roles.get(TABLE_NAME_COLUMN, ""),
        wide=False,
    )
    return TableRows(
        number=number,
        file=table["file"],
        rows=table["rows"],
        rows_with_file=table["rows_with_file"],
        problems=table["problems"],
        columns=[*rows, own_name],
        is_used=bool(columns),
    )


def _words(layout: Mapping[str, Any], mapping: Mapping[str, Any]) -> dict[str, str]:
    """Words that may name a split: those of the mapping, and samples of levels and columns."""
    words: dict[str, str] = {}
    for number, level in enumerate(layout["levels"]):
        if _at(mapping["levels"], number, "") == Role.SPLIT.value:
            words |= dict.fromkeys(level["samples"], "")
    csv = mapping["csv"]
    for part in [] if csv is None else [csv, *csv.get("more", ())]:
        split = part["columns"].get("split")
        for table in layout["tables"]:
            for column in table["columns"]:
                if table["file"] == part["file"] and column["name"] == split:
                    words |= dict.fromkeys(column["samples"], "")
    words.update(mapping["split_words"])
    return words


def _classes(
    reading: Mapping[str, Any], proposed: Mapping[str, Any], mapping: Mapping[str, Any]
) -> Iterator[ClassRow]:
    merged = {**dict.fromkeys(proposed["merge"]), **dict.fromkeys(mapping["merge"])}
    counts = {name: sum(splits.values()) for name, splits in reading["classes"].items()}
    for name in sorted({*counts, *merged}):
        yield ClassRow(
            name=name,
            images=counts.get(name),
            is_left_out=name in mapping["leave_out"],
            into=mapping["merge"].get(name, ""),
        )


class FormProblem(Exception):  # noqa: N818 (a page shows it as one)
    """What was filled in cannot be a mapping; `text` names the sentence that says so."""

    def __init__(self, text: str, **values: str) -> None:
        super().__init__(text)
        self.text, self.values = text, values


def mapping_of(form: FormData, layout: Mapping[str, Any]) -> JsonObject:
    """The mapping that the sent details say, whether it can be used or not."""
    merge, leave_out = {}, form.getlist("folder")
    for number, name in enumerate(form.getlist("class")):
        if form.get(f"class-{number}-out"):
            leave_out.append(name)
        if into := _text(form, f"class-{number}-into"):
            merge[str(name)] = into
    words = zip(form.getlist("word"), form.getlist("word-split"), strict=False)
    return {
        "encoding": _text(form, "encoding") or None,
        "levels": [
            _text(form, f"level-{number}") or Role.IGNORE.value
            for number, _ in enumerate(layout["levels"])
        ],
        "csv": _csv(form, layout),
        "split_words": {
            str(word).strip(): str(split) for word, split in words if str(word).strip() and split
        },
        "merge": merge,
        "leave_out": [str(entry) for entry in leave_out],
        "uncertain": _text(form, "uncertain") or "leave_out",
        "several_labels": _several(form),
        "patient_in_name": bool(form.get("patient_in_name")),
    }


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, "")).strip()


def _several(form: FormData) -> JsonObject:
    how = _text(form, "several") or "leave_out"
    if how == "first_by_priority":
        lines = [line.strip() for line in _text(form, "priority").splitlines()]
        return {"how": how, "priority": [line for line in lines if line]}
    if how == "one_against_the_rest":
        rest = _text(form, "rest") or "Other"
        return {"how": how, "positive": _text(form, "positive") or None, "rest": rest}
    return {"how": how}


def _csv(form: FormData, layout: Mapping[str, Any]) -> JsonObject | None:
    """The tables of which a column is used; one that gives labels comes first."""
    tables = []
    for number, table in enumerate(layout["tables"]):
        names = [column["name"] for column in table["columns"]] + [TABLE_NAME_COLUMN]
        wide = [column["wide"] for column in table["columns"]] + [False]
        columns: dict[str, str | list[str]] = {}
        for role in COLUMN_ROLES:
            chosen = [
                name
                for place, name in enumerate(names)
                if _text(form, f"table-{number}-{place}") == role
            ]
            # A wide column is a list even by itself: it is one class against the rest.
            is_wide = any(wide[names.index(name)] for name in chosen)
            if chosen:
                columns[role] = chosen if is_wide or len(chosen) > 1 else chosen[0]
        if form.get(f"table-{number}-used") and columns:
            tables.append({"file": table["file"], "columns": columns})
    tables.sort(key=lambda table: "label" not in table["columns"])
    if not tables:
        return None
    return tables[0] | ({"more": tables[1:]} if tables[1:] else {})


def check_details(mapping: JsonObject) -> None:
    """Say in the words of the page what cannot be used. Raises FormProblem.

    The service checks it all once more; its words are for those who send JSON.
    """
    levels = mapping["levels"]
    for role in (Role.CLASS.value, Role.SPLIT.value):
        if levels.count(role) > 1:
            raise FormProblem(f"layout-problem-level-{role}")
    csv = mapping["csv"]
    tables = [] if csv is None else [csv, *csv.get("more", ())]
    for table in tables:
        _check_table(table)
    if Role.CLASS.value not in levels and not any("label" in one["columns"] for one in tables):
        raise FormProblem("layout-problem-no-class")
    for name, into in mapping["merge"].items():
        if name == into:
            raise FormProblem("layout-problem-merge-itself", name=name)
        if into in mapping["merge"]:
            raise FormProblem("layout-problem-merge-steps", name=name, into=into)
    several = mapping["several_labels"]
    if several["how"] == "first_by_priority" and not several["priority"]:
        raise FormProblem("layout-problem-priority")
    if several["how"] == "one_against_the_rest" and not several["positive"]:
        raise FormProblem("layout-problem-positive")


def _check_table(table: Mapping[str, Any]) -> None:
    columns = table["columns"]
    if "file" not in columns:
        raise FormProblem("layout-problem-no-file", table=table["file"])
    if len(columns) == 1:
        raise FormProblem("layout-problem-file-alone", table=table["file"])
    for role, named in columns.items():
        if isinstance(named, list) and role not in LISTS:
            raise FormProblem("layout-problem-column-twice", table=table["file"])
