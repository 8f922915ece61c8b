"""Places each picture: its class, split, patient, site and view, by a mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from iadd.intake.errors import DatasetError, printable
from iadd.intake.layout.class_names import (
    MOST_CLASSES,
    class_name_problem,
    looks_like_patient,
    patient_of_name,
)
from iadd.intake.layout.folder_tree import unfolded
from iadd.intake.layout.listing import ListedFile
from iadd.intake.layout.mapping import Mapping, Role
from iadd.intake.layout.path_match import without_ending
from iadd.intake.layout.row_match import FileRow, rows_of_files
from iadd.intake.layout.tables import Table
from iadd.intake.layout.words import is_fold, is_lateral, split_of

_FIRST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Placement:
    """What the layout says about one picture.

    Attributes:
        class_name: None where nothing states one.
        split: ``train``, ``validation`` or ``test``; None where nothing states one.
        patient: as it stands in the folder, table or name: hash it before anything is stored.
        site: a hospital, None where nothing states one.
        view: the value of a view column, None where nothing states one.
        left_out: a code of `LEFT_OUT` where the picture is not used; None for one that is.
    """

    class_name: str | None
    split: str | None
    patient: str | None
    site: str | None
    view: str | None
    left_out: str | None


LEFT_OUT = {
    "left_out": "The layout leaves its class or folder out.",
    "no_class": "It lies in no class folder; move it into one, or add a row to the table.",
    "no_row": "The table has no row for it; add one.",
    "no_label": "Its row in the table has no label; fill it in.",
    "several_labels": "It has several labels; choose their order of priority to use it.",
    "uncertain": "Its label is uncertain (−1); choose whether that counts as positive to use it.",
    "lateral": "It is a lateral picture; drop the view column from the layout to use it.",
    "contradicting_rows": "Rows of the table give it different labels; keep the right one.",
}
"""By code, the reason as a sentence: what is so, and what to do about it."""


@dataclass
class Count:
    """How often something was met.

    Attributes:
        count: how often.
        first: the first few names, as they stand in the archive or the table: they may carry
            patients' names, so mask them before they are stored.
    """

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < _FIRST_NAMES:
            self.first.append(name)


@dataclass(frozen=True)
class Placements:
    """What the layout says about all pictures.

    Attributes:
        placements: one for each file, in the order of the files.
        rows_without_file: rows whose file is not in the archive.
        rows_ambiguous: rows whose path fits several files equally well.
        files_without_row: pictures that no row names, where a table states the classes.
        rows_doubled: further rows for a picture that had one.
        rows_contradicting: pictures whose rows give different labels.
        several_labels: pictures with more than one label, whatever became of them.
        uncertain: pictures with an uncertain label, whatever became of them.
        laterals: pictures left out because a view column calls them lateral.
        unknown_splits: by folder name or value that is no known split, how many pictures have it.
    """

    placements: list[Placement]
    rows_without_file: Count = field(default_factory=Count)
    rows_ambiguous: Count = field(default_factory=Count)
    files_without_row: Count = field(default_factory=Count)
    rows_doubled: Count = field(default_factory=Count)
    rows_contradicting: Count = field(default_factory=Count)
    several_labels: Count = field(default_factory=Count)
    uncertain: Count = field(default_factory=Count)
    laterals: Count = field(default_factory=Count)
    unknown_splits: dict[str, int] = field(default_factory=dict)

    def classes(self) -> dict[str, dict[str, int]]:
        """Return, by class, the number of used pictures per split; ``""`` where none is given."""
        counts: dict[str, dict[str, int]] = {}
        for place, count in Counter(
            (place.class_name, place.split or "")
            for place in self.placements
            if place.left_out is None and place.class_name is not None
        ).items():
            counts.setdefault(str(place[0]), {})[place[1]] = count
        return {name: counts[name] for name in sorted(counts)}


@dataclass(frozen=True, slots=True)
class _Folder:
    """What the folders alone say."""

    class_name: str | None
    split: str | None
    patient: str | None
    site: str | None


def place(
    files: Sequence[ListedFile],
    mapping: Mapping,
    tables: Sequence[Table] = (),
    *,
    check: bool = True,
) -> Placements:
    """Place every file by `mapping`.

    Args:
        files: the candidate pictures.
        mapping: as found by `describe` or confirmed by a steward.
        tables: those of the archive; the mapping says which of them are used.
        check: False counts classes without refusing any.

    Raises:
        MappingError: the mapping names a table or a column that is not there.
        DatasetError: ``class_name``, ``class_names_alike``, ``too_many_classes`` or
            ``class_in_one_split``.
    """
    parts = [file.parts for file in files]
    folders = unfolded(parts)
    placements: list[Placement] = []
    result = Placements(placements)
    rows = None
    if mapping.csv is not None:
        matched = rows_of_files(parts, mapping.csv, tables, mapping.uncertain)
        rows = matched.rows
        for value in matched.without_file:
            result.rows_without_file.add(value)
        for value in matched.ambiguous:
            result.rows_ambiguous.add(value)
        for index in matched.doubled:
            result.rows_doubled.add("/".join(parts[index]))
    labelled = mapping.csv is not None and mapping.csv.states("label")
    reader = _FolderReader(mapping, result.unknown_splits)
    leaves = _Leaves(mapping.leave_out)
    known: dict[tuple[object, ...], Placement] = {}
    for index, (path, folder) in enumerate(zip(parts, folders, strict=True)):
        there = reader.read(folder)
        row = None if rows is None else rows[index]
        found = _placement(there, row, mapping, result, path, reader, labelled=labelled)
        if leaves.holds(path, folder):
            found = replace(found, left_out="left_out")
        elif found.class_name is not None:
            name = mapping.merge.get(found.class_name, found.class_name)
            if name != found.class_name:
                found = replace(found, class_name=name)
            if name in leaves.classes or there.class_name in leaves.classes:
                found = replace(found, left_out="left_out")
        if labelled and row is None and found.left_out == "no_row":
            result.files_without_row.add("/".join(path))
        # One object for all equal ones: 200,000 files share a few thousand at most.
        key = (found.class_name, found.split, found.patient, found.site, found.view, found.left_out)
        placements.append(known.setdefault(key, found))
    if check:
        check_classes(result)
    return result


class _Leaves:
    """What is left out: classes, folders by their path, folders of a name anywhere (``*/name``)."""

    def __init__(self, entries: tuple[str, ...]) -> None:
        self.classes = frozenset(entries)
        self._paths = {tuple(e.strip("/").split("/")) for e in entries if not e.startswith("*/")}
        self._names = {entry[2:] for entry in entries if entry.startswith("*/")}

    def holds(self, path: tuple[str, ...], folder: tuple[str, ...]) -> bool:
        """Return whether a file, by its own and its unfolded folders, is left out."""
        if self._names and not self._names.isdisjoint(path[:-1]):
            return True
        return bool(self._paths) and any(
            path[:length] in self._paths or folder[:length] in self._paths
            for length in range(1, len(path) + 1)
        )


class _FolderReader:
    def __init__(self, mapping: Mapping, unknown: dict[str, int]) -> None:
        self._levels = mapping.levels
        self._words = {word.casefold(): split for word, split in mapping.split_words.items()}
        self._unknown = unknown
        self._known: dict[tuple[str, ...], _Folder] = {}

    def split_of(self, word: str) -> str | None:
        """Return the split of a word: by the mapping's words, else by the known ones."""
        return self._words.get(word.casefold()) or split_of(word)

    def counted_split(self, word: str) -> str | None:
        split = self.split_of(word)
        if split is None and not is_fold(word):
            self._unknown[word] = self._unknown.get(word, 0) + 1
        return split

    def read(self, folders: tuple[str, ...]) -> _Folder:
        found = self._known.get(folders)
        if found is None:
            found = self._known[folders] = self._read(folders)
        return found

    def _read(self, folders: tuple[str, ...]) -> _Folder:
        values: dict[Role, list[str]] = {}
        for role, name in zip(self._levels, folders, strict=False):
            values.setdefault(role, []).append(name)
        split = values.get(Role.SPLIT)
        class_name = values.get(Role.CLASS)
        return _Folder(
            class_name=class_name[0] if class_name else None,
            split=self.counted_split(split[0]) if split else None,
            patient="/".join(values[Role.PATIENT]) if Role.PATIENT in values else None,
            site="/".join(values[Role.SITE]) if Role.SITE in values else None,
        )


def _placement(
    there: _Folder,
    row: FileRow | None,
    mapping: Mapping,
    result: Placements,
    path: tuple[str, ...],
    reader: _FolderReader,
    *,
    labelled: bool,
) -> Placement:
    patient, split, site, view = there.patient, there.split, there.site, None
    class_name = None if labelled else there.class_name
    left_out = None
    if row is not None:
        patient = row.patient or patient
        site = row.site or site
        view = row.view
        if row.split is not None:
            split = reader.counted_split(row.split)
    if labelled:
        class_name, left_out = _label(row, mapping, result, path)
    elif class_name is None:
        left_out = "no_class"
    if view is not None and is_lateral(view) and left_out is None:
        left_out = "lateral"
        result.laterals.add("/".join(path))
    if patient is None and mapping.patient_in_name:
        patient = patient_of_name(without_ending(path[-1]))
    return Placement(class_name, split, patient, site, view, left_out)


def _label(
    row: FileRow | None, mapping: Mapping, result: Placements, path: tuple[str, ...]
) -> tuple[str | None, str | None]:
    """Return the class that a row gives, and why the picture is left out where it is."""
    if row is None:
        return None, "no_row"
    several = mapping.several_labels
    merged = [mapping.merge.get(label, label) for label in row.labels]
    left = frozenset(mapping.leave_out)
    labels = tuple(dict.fromkeys(label for label in merged if label not in left))
    if merged and not labels:
        return merged[0], "left_out"
    if row.contradicting:
        result.rows_contradicting.add("/".join(path))
        return None, "contradicting_rows"
    if len(labels) > 1:
        result.several_labels.add("/".join(path))
    if row.uncertain:
        result.uncertain.add("/".join(path))
    if several.how == "one_against_the_rest" and several.positive is not None:
        if several.positive in labels:
            return several.positive, None
        if several.positive in row.uncertain and mapping.uncertain == "leave_out":
            return None, "uncertain"
        return (several.rest, None) if labels or row.answered else (None, "no_label")
    if not labels:
        return None, "uncertain" if row.uncertain else "no_label"
    if len(labels) == 1:
        if row.uncertain and mapping.uncertain == "leave_out":
            return None, "uncertain"
        return labels[0], None
    if several.how == "first_by_priority":
        for name in several.priority:
            if name in labels:
                return name, None
    return None, "several_labels"


def check_classes(placed: Placements) -> None:
    """Refuse classes that cannot be used.

    Raises:
        DatasetError: ``class_name``, ``class_names_alike``, ``too_many_classes`` or
            ``class_in_one_split``.
    """
    classes = placed.classes()
    check_class_names(classes)
    splits = {split for counts in classes.values() for split in counts}
    if "train" not in splits:
        return
    missing = [name for name in classes if not {"train", ""} & set(classes[name])]
    if not missing:
        return
    name = missing[0]
    where = " and ".join(sorted(classes[name]))
    others = [other for other in classes if "train" in classes[other]]
    # A class that the same split lacks is the likelier other spelling.
    others.sort(key=lambda other: bool(set(classes[other]) & set(classes[name])))
    named = ", ".join(f"“{_shown(other)}”" for other in others[:5])
    raise DatasetError(
        "class_in_one_split",
        "A class has no training image",
        f"The class “{_shown(name)}” is only in {where}; train has {named}. If two of these are "
        "one class, give their folders one name; else put images of it into train too.",
    )


def check_class_names(names: Iterable[str]) -> None:
    """Refuse names that cannot be used for classes.

    Raises:
        DatasetError: ``class_name``, ``class_names_alike`` or ``too_many_classes``.
    """
    names = sorted(names)
    if len(names) > MOST_CLASSES:
        raise DatasetError(
            "too_many_classes",
            "The archive holds too many class folders",
            f"{len(names):,} folders or labels were taken for classes; at most {MOST_CLASSES} are "
            "allowed. Put one folder per class at the top of the archive, and patients' folders "
            "below.",
        )
    for name in names:
        if problem := class_name_problem(name):
            raise DatasetError(
                "class_name",
                "A class has a name that cannot be used",
                f"The name of the class “{_shown(name)}” {problem}. Rename its folder or its label "
                "and upload the archive again.",
            )
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise DatasetError(
                "class_names_alike",
                "Two classes have names that differ in capitals alone",
                f"“{_shown(other)}” and “{_shown(name)}” would be one folder on many systems. "
                "Merge or rename them and upload the archive again.",
            )


def _shown(name: str) -> str:
    return "…" if looks_like_patient(name) else printable(name)
