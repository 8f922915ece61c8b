"""The mapping: what each folder level and each table column means, as a steward confirms it.

Its JSON is the body of ``PUT /datasets/{id}/layout`` and the content of ``layout.json``.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, cast, get_args

from iadd.intake.splits import SPLITS

Uncertain = Literal["leave_out", "positive", "negative"]
HowSeveral = Literal["leave_out", "first_by_priority", "one_against_the_rest"]

COLUMN_ROLES = ("file", "label", "patient", "split", "view", "site")
# The name of the table itself, without folders and ending, may stand for a column:
# COVIDx states the split by ``train.txt`` and ``test.txt`` alone.
TABLE_NAME_COLUMN = "(table)"
_MOST_LEVELS = 30
_MOST_ENTRIES = 10_000
_LONGEST_TEXT = 1_000


class MappingError(ValueError):
    """A mapping cannot be used; the message says what to change."""


class Role(StrEnum):
    """What the folders of one level stand for."""

    ROOT = "root"
    SITE = "site"
    SPLIT = "split"
    CLASS = "class"
    PATIENT = "patient"
    IGNORE = "ignore"


@dataclass(frozen=True)
class SeveralLabels:
    """What becomes of a picture with more than one label.

    Attributes:
        how: leave it out; take its first label in the order of `priority`; or make two classes of
            the whole set, `positive` and `rest`.
        priority: class names, most important first; labels not named come last, as one group.
        positive: the class that stands against the rest.
        rest: the name of the class that all other pictures get.
    """

    how: HowSeveral = "leave_out"
    priority: tuple[str, ...] = ()
    positive: str | None = None
    rest: str = "Other"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; only the keys that `how` needs."""
        if self.how == "first_by_priority":
            return {"how": self.how, "priority": list(self.priority)}
        if self.how == "one_against_the_rest":
            return {"how": self.how, "positive": self.positive, "rest": self.rest}
        return {"how": self.how}

    @classmethod
    def from_dict(cls, data: object) -> SeveralLabels:
        """Read the JSON form; a bare word stands for ``{"how": word}``.

        Raises:
            MappingError: it is none; the message says what to change.
        """
        if isinstance(data, str):
            data = {"how": data}
        values = _object(data, "several_labels", ("how", "priority", "positive", "rest"))
        how = _choice(values.get("how", "leave_out"), "several_labels.how", get_args(HowSeveral))
        several = cls(
            how=cast("HowSeveral", how),
            priority=_texts(values.get("priority", []), "several_labels.priority"),
            positive=_optional_text(values.get("positive"), "several_labels.positive"),
            rest=_text(values.get("rest", "Other"), "several_labels.rest"),
        )
        if how == "first_by_priority" and not several.priority:
            raise MappingError(
                "several_labels.priority is empty: list the class names, most important first."
            )
        if how == "one_against_the_rest":
            if several.positive is None:
                raise MappingError(
                    "several_labels.positive is missing: name the class that stands against the "
                    "rest."
                )
            if several.positive.casefold() == several.rest.casefold():
                raise MappingError(
                    "several_labels.positive and several_labels.rest have one name: give the rest "
                    "another one."
                )
        return several


@dataclass(frozen=True)
class TableMapping:
    """Which columns of a table are used, and as what.

    Attributes:
        file: the table's path in the archive.
        columns: by role (`COLUMN_ROLES`) the column's heading. ``label`` may be a list of the
            columns of a wide 0/1 table; ``file`` may be a list of columns that name the folders of
            a study (``subject_id``, ``study_id``). `TABLE_NAME_COLUMN` stands for the table's name.
        more: further tables, matched to the files each by itself. The first table that states a
            value for a file counts.
    """

    file: str
    columns: dict[str, str | list[str]]
    more: tuple[TableMapping, ...] = ()

    def tables(self) -> tuple[TableMapping, ...]:
        """Return this table and the further ones."""
        return (self, *self.more)

    def states(self, role: str) -> bool:
        """Return whether one of the tables has a column for `role`."""
        return any(role in table.columns for table in self.tables())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; ``more`` only where there is more than one table."""
        plain: dict[str, Any] = {"file": self.file, "columns": dict(self.columns)}
        if self.more:
            plain["more"] = [table.to_dict() for table in self.more]
        return plain

    @classmethod
    def from_dict(cls, data: object, *, where: str = "csv", nested: bool = False) -> TableMapping:
        """Read the JSON form.

        Raises:
            MappingError: it is none; the message says what to change.
        """
        keys = ("file", "columns") if nested else ("file", "columns", "more")
        values = _object(data, where, keys)
        if "file" not in values:
            raise MappingError(f"{where}.file is missing: give the table's path in the archive.")
        file = _text(values["file"], f"{where}.file")
        columns: dict[str, str | list[str]] = {}
        for role, column in _object(
            values.get("columns", {}), f"{where}.columns", COLUMN_ROLES
        ).items():
            place = f"{where}.columns.{role}"
            if column is None:
                continue
            if isinstance(column, list | tuple):
                if role not in ("file", "label"):
                    raise MappingError(f"{place} must be one column, not a list.")
                if not column:
                    raise MappingError(f"{place} is an empty list: name a column or drop the key.")
                columns[role] = list(_texts(column, place))
            else:
                columns[role] = _text(column, place)
        if "file" not in columns:
            raise MappingError(
                f"{where}.columns.file is missing: name the column that holds the file names."
            )
        if len(columns) == 1:
            raise MappingError(
                f"{where}.columns holds the file names alone: add a column, or set csv to null."
            )
        more = values.get("more", [])
        if not isinstance(more, list | tuple) or len(more) > _MOST_LEVELS:
            raise MappingError(f"{where}.more must be a list of at most {_MOST_LEVELS} tables.")
        further = tuple(
            cls.from_dict(table, where=f"{where}.more[{index}]", nested=True)
            for index, table in enumerate(more)
        )
        names = [file, *(table.file for table in further)]
        if len(set(names)) < len(names):
            raise MappingError(f"{where} names a table twice: keep it once.")
        return cls(file, columns, further)


@dataclass(frozen=True)
class Mapping:
    """How the class, split, patient and site of each picture are found.

    Attributes:
        encoding: of the names in the archive; None where they are Unicode already.
        levels: the role of each folder level, outermost first; deeper levels are ignored.
        csv: the tables that are used, None for none.
        split_words: by folder name or table value: ``train``, ``validation`` or ``test``.
        merge: by class name, the class it becomes part of.
        leave_out: classes, folders by their path in the archive, or ``*/name`` for all folders of a
            name.
        uncertain: what −1 in a wide table means.
        several_labels: what becomes of pictures with more than one label.
        patient_in_name: whether file names begin with the patient (``P0012_3.png``).
    """

    encoding: str | None = None
    levels: tuple[Role, ...] = ()
    csv: TableMapping | None = None
    split_words: dict[str, str] = field(default_factory=dict)
    merge: dict[str, str] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    uncertain: Uncertain = "leave_out"
    several_labels: SeveralLabels = SeveralLabels()
    patient_in_name: bool = False

    def level_of(self, role: Role) -> int | None:
        """Return the outermost level with `role`, None where there is none."""
        return self.levels.index(role) if role in self.levels else None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; `from_dict` reads it back."""
        return {
            "encoding": self.encoding,
            "levels": [role.value for role in self.levels],
            "csv": None if self.csv is None else self.csv.to_dict(),
            "split_words": dict(self.split_words),
            "merge": dict(self.merge),
            "leave_out": list(self.leave_out),
            "uncertain": self.uncertain,
            "several_labels": self.several_labels.to_dict(),
            "patient_in_name": self.patient_in_name,
        }

    @classmethod
    def from_dict(cls, data: object) -> Mapping:
        """Read the JSON form.

        Raises:
            MappingError: it is none, or it leads to no class; the message says what to change.
        """
        values = _object(
            data,
            "The layout",
            (
                *("encoding", "levels", "csv", "split_words", "merge", "leave_out"),
                *("uncertain", "several_labels", "patient_in_name"),
            ),
        )
        csv = values.get("csv")
        in_name = values.get("patient_in_name", False)
        if not isinstance(in_name, bool):
            raise MappingError("patient_in_name must be true or false.")
        mapping = cls(
            encoding=_optional_text(values.get("encoding"), "encoding"),
            levels=_levels(values.get("levels", [])),
            csv=None if csv is None else TableMapping.from_dict(csv),
            split_words=_words(values.get("split_words", {}), "split_words"),
            merge=_words(values.get("merge", {}), "merge"),
            leave_out=_texts(values.get("leave_out", []), "leave_out"),
            uncertain=cast(
                "Uncertain",
                _choice(values.get("uncertain", "leave_out"), "uncertain", get_args(Uncertain)),
            ),
            several_labels=SeveralLabels.from_dict(values.get("several_labels", {})),
            patient_in_name=in_name,
        )
        mapping._check()
        return mapping

    def _check(self) -> None:
        labelled = self.csv is not None and self.csv.states("label")
        if Role.CLASS not in self.levels and not labelled:
            raise MappingError(
                "Nothing says which class a picture has: give one level the role “class”, or name "
                "the label column of a table under csv.columns.label."
            )
        for split in self.split_words.values():
            if split not in SPLITS:
                raise MappingError(
                    "A word under split_words leads to no split: use train, validation or test."
                )
        for name, into in self.merge.items():
            if name == into:
                raise MappingError("merge puts a class into itself: drop that entry.")
            if into in self.merge:
                raise MappingError(
                    "merge leads from class to class in steps: name the last class directly."
                )


def _levels(value: object) -> tuple[Role, ...]:
    if not isinstance(value, list | tuple) or len(value) > _MOST_LEVELS:
        raise MappingError(f"levels must be a list of at most {_MOST_LEVELS} roles.")
    roles = tuple(Role(_choice(role, "levels", tuple(Role))) for role in value)
    for role in (Role.CLASS, Role.SPLIT):
        if roles.count(role) > 1:
            raise MappingError(
                f"levels gives the role “{role.value}” twice: give the other level “ignore”."
            )
    return roles


def _object(value: object, where: str, keys: tuple[str, ...]) -> AnyMapping[str, Any]:
    if not isinstance(value, dict):
        raise MappingError(f"{where} must be an object with the keys {', '.join(keys)}.")
    if not set(value) <= set(keys):
        raise MappingError(f"{where} holds an unknown key: the keys are {', '.join(keys)}.")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise MappingError(f"{where} must be a text of 1 to {_LONGEST_TEXT:,} characters.")
    return value


def _optional_text(value: object, where: str) -> str | None:
    return None if value is None else _text(value, where)


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > _MOST_ENTRIES:
        raise MappingError(f"{where} must be a list of at most {_MOST_ENTRIES:,} texts.")
    return tuple(_text(entry, where) for entry in value)


def _words(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _MOST_ENTRIES:
        raise MappingError(f"{where} must be an object of at most {_MOST_ENTRIES:,} words.")
    return {_text(word, where): _text(meaning, where) for word, meaning in value.items()}


def _choice(value: object, where: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise MappingError(f"{where} must be one of {', '.join(choices)}.")
    return value
