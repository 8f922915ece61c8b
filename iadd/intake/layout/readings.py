"""Describes an archive before a picture is read: scored readings, and whether one needs no word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import replace

from iadd.intake.errors import DatasetError
from iadd.intake.layout.class_names import (
    MOST_CLASSES,
    looks_like_patient,
    patient_of_name,
    suggested_merges,
)
from iadd.intake.layout.dead_end import dead_end
from iadd.intake.layout.empty_classes import empty_classes
from iadd.intake.layout.folder_readings import (
    LEAST_IMAGES,
    FolderReading,
    listed,
    read_folders,
    roles_without_class,
)
from iadd.intake.layout.folder_tree import unfolded
from iadd.intake.layout.layout import Layout, Level, NamesGuess, Reading, masked, shown
from iadd.intake.layout.levels import Folders, Kind, Survey, set_aside, survey, under
from iadd.intake.layout.listing import ListedFile
from iadd.intake.layout.mapping import Mapping, Role, SeveralLabels, TableMapping
from iadd.intake.layout.path_match import without_ending
from iadd.intake.layout.placement import place
from iadd.intake.layout.row_match import FileFinder
from iadd.intake.layout.table_doubts import table_doubts
from iadd.intake.layout.table_questions import table_questions
from iadd.intake.layout.table_readings import (
    TableUse,
    combined,
    heading_says_files,
    is_plain_manifest,
    listed_table,
    use_of,
)
from iadd.intake.layout.tables import Table
from iadd.intake.layout.words import is_mask_folder, split_in, split_of

_MOST_READINGS = 3
_CLOSE = 0.7
_FEW_DOCUMENTS = 0.1


def describe(
    files: Sequence[ListedFile],
    tables: Sequence[Table] = (),
    names: NamesGuess | None = None,
    *,
    folders: Sequence[tuple[str, ...]] = (),
) -> Layout:
    """Find out what each folder level and each table column means.

    Args:
        files: the candidate pictures; at least one.
        tables: those of the archive that could be read.
        names: how names were read where their encoding is not stated.
        folders: all folders of the archive, those without a picture too.

    Raises:
        DatasetError: no mapping could give two classes: ``no_images``, ``one_class``,
            ``no_classes`` or ``table_names_no_file``.
    """
    if not files:
        raise DatasetError(
            "no_images", "The archive holds no image", "Add images to it and upload it again."
        )
    parts = [file.parts for file in files]
    plain = unfolded(parts)
    counts = Counter(plain)
    aside = set_aside(counts)
    kept = Counter({path: n for path, n in counts.items() if under(path, aside) is None})
    levels = survey(kept)
    by_folder = read_folders(kept, levels)
    finder = FileFinder(parts)
    uses = [use_of(table, finder) for table in tables]
    describer = _Describer(files, plain, kept, aside, levels, by_folder, uses, tables)
    readings = describer.readings()
    if not readings:
        raise dead_end(uses, levels)
    certain, questions = describer.verdict(readings, names)
    best = readings[0].mapping
    return Layout(
        levels=tuple(_levels(levels, best)),
        tables=tuple(map(listed_table, uses)),
        names=names,
        readings=tuple(readings),
        certain=certain,
        questions=tuple(dict.fromkeys(questions)),
        notes=tuple(describer.notes(best)),
        empty_classes=empty_classes(files, best, folders),
    )


def _levels(levels: Sequence[Survey], best: Mapping) -> list[Level]:
    described = []
    for index, level in enumerate(levels):
        role = best.levels[index] if index < len(best.levels) else Role.IGNORE
        people = role is Role.PATIENT or level.kind in (Kind.PATIENT, Kind.STUDY)
        samples = [name for name, _ in level.names.most_common(8)]
        described.append(
            Level(
                role=role,
                kind=level.kind.value,
                samples=tuple(
                    dict.fromkeys(masked(name) if people else shown(name) for name in samples)
                ),
                names=len(level.names),
                files=level.files,
            )
        )
    return described


class _Describer:
    """Holds what was found out, while readings and questions are made of it."""

    def __init__(
        self,
        files: Sequence[ListedFile],
        plain: Sequence[Folders],
        kept: AnyMapping[Folders, int],
        aside: AnyMapping[Folders, str],
        levels: list[Survey],
        by_folder: list[FolderReading],
        uses: list[TableUse],
        tables: Sequence[Table],
    ) -> None:
        self._files = files
        self._plain = plain
        self._kept = kept
        self._aside = aside
        self._levels = levels
        self._by_folder = by_folder
        self._uses = uses
        self._tables = tables
        self._doubts: dict[int, list[str]] = {}
        self._in_name = self._patients_in_names()

    def readings(self) -> list[Reading]:
        """Return up to three readings, best first."""
        found = self._from_tables()
        tables = TableMapping("", {}) if not self._uses else self._additions()
        for reading in self._by_folder[:_MOST_READINGS]:
            found.append(self._from_folders(reading, tables))
        found.sort(key=lambda reading: -reading.score)
        return found[:_MOST_READINGS]

    def _additions(self) -> TableMapping:
        """Return the tables that add a patient, split or view to classes that folders state."""
        ways = combined([_without_label(use) for use in self._uses])
        return ways[0] if ways else TableMapping("", {})

    def _left_out(self) -> tuple[str, ...]:
        """Return the folders set aside; by name where folders of one name lie in several."""
        names = Counter(path[-1] for path in self._aside)
        return tuple(
            dict.fromkeys(
                f"*/{path[-1]}"
                if names[path[-1]] > 1 or any(map(looks_like_patient, path))
                else "/".join(path)
                for path in sorted(self._aside)
            )
        )

    def _from_folders(self, reading: FolderReading, tables: TableMapping) -> Reading:
        csv = tables if tables.columns else None
        by_table = csv is not None and csv.states("patient")
        mapping = Mapping(
            levels=reading.roles,
            csv=csv,
            split_words=dict(sorted(reading.splits.items())),
            merge=reading.merges,
            leave_out=self._left_out(),
            patient_in_name=self._in_name and not by_table and Role.PATIENT not in reading.roles,
        )
        aside = len(self._files) - sum(self._kept.values())
        inside = sum(sum(counts.values()) for counts in reading.classes.values())
        outside = sum(self._kept.values()) - inside
        left = {"left_out": aside, "no_class": outside}
        made = Reading(
            mapping=mapping,
            classes=_masked_classes(reading.classes),
            score=reading.score,
            why=reading.why,
            left_out={code: count for code, count in left.items() if count},
        )
        self._doubts[id(made.mapping)] = list(reading.doubts)
        return made

    def _from_tables(self) -> list[Reading]:
        made = []
        for csv in combined(self._uses):
            if not csv.states("label"):
                continue
            roles = list(roles_without_class(self._levels))
            if csv.states("patient"):
                roles = [Role.IGNORE if role is Role.PATIENT else role for role in roles]
            mapping = Mapping(
                levels=tuple(roles),
                csv=csv,
                leave_out=self._left_out(),
                patient_in_name=(
                    self._in_name and not csv.states("patient") and Role.PATIENT not in roles
                ),
            )
            made.append(self._table_reading(mapping, csv))
        return made

    def _table_reading(self, mapping: Mapping, csv: TableMapping) -> Reading:
        label = csv.columns.get("label")
        if isinstance(label, list) and len(label) == 1:
            several = SeveralLabels("one_against_the_rest", (), label[0], f"No {label[0]}")
            mapping = replace(mapping, several_labels=several)
        placed = place(self._files, mapping, self._tables, check=False)
        counts = {name: sum(splits.values()) for name, splits in placed.classes().items()}
        if merges := suggested_merges(counts):
            mapping = replace(mapping, merge=merges)
            placed = place(self._files, mapping, self._tables, check=False)
        mapping = replace(mapping, split_words=self._split_words(mapping, csv))
        classes = placed.classes()
        left = Counter(p.left_out for p in placed.placements if p.left_out is not None)
        share = 1 - (left["no_row"] + left["contradicting_rows"]) / len(self._files)
        usable = sum(sum(c.values()) >= LEAST_IMAGES for c in classes.values())
        # Without any single label, a choice for several labels still gives classes.
        chosen = 0.8 if placed.several_labels.count or placed.uncertain.count else 0.4
        score = share * (1.0 if usable >= 2 else chosen)
        if len(classes) > 20:
            score *= 0.7 if len(classes) <= MOST_CLASSES else 0.1
        score *= 1 - 0.8 * sum(map(looks_like_patient, classes)) / max(1, len(classes))
        names = " and ".join(f"“{shown(table.file)}”" for table in csv.tables()[:3])
        column = f"the column “{shown(label)}”" if isinstance(label, str) else "its 0/1 columns"
        made = Reading(
            mapping=mapping,
            classes=_masked_classes(classes),
            score=score,
            why=f"Table: {names}, with the classes of {column} ({listed(list(classes))}).",
            left_out=dict(sorted((str(code), count) for code, count in left.items())),
        )
        self._doubts[id(made.mapping)] = table_doubts(placed, mapping, merges, classes)
        return made

    def _split_words(self, mapping: Mapping, csv: TableMapping) -> dict[str, str]:
        words: set[str] = set()
        by_name = {table.name: table for table in self._tables}
        for part in csv.tables():
            column = part.columns.get("split")
            if isinstance(column, str):
                words.update(by_name[part.file].values(column))
        level = mapping.level_of(Role.SPLIT)
        if level is not None:
            words.update(self._levels[level].names)
        from_names = {word: _split_of_any(word) for word in words if word}
        return {word: split for word, split in sorted(from_names.items()) if split}

    def _patients_in_names(self) -> bool:
        """Return whether file names begin with patients, some of whom have several pictures."""
        step = max(1, len(self._files) // 20_000)
        sample = self._files[::step]
        found = [patient_of_name(without_ending(file.parts[-1])) for file in sample]
        known = [patient for patient in found if patient is not None]
        return len(known) >= 0.5 * len(sample) and 1 < len(set(known)) < len(known)

    def verdict(
        self, readings: list[Reading], names: NamesGuess | None
    ) -> tuple[Mapping | None, list[str]]:
        """Return the mapping that needs no question, or the questions."""
        best = readings[0]
        questions: list[str] = []
        if names is not None and not names.sure and self._encoding_matters():
            questions.append(
                "The archive does not say how its names are written, and several encodings fit. "
                "Choose the one in which the names read right."
            )
        manifest = self._manifest()
        if manifest is not None and best.mapping.csv is not None:
            questions += self._doubts[id(best.mapping)]
            if "label" not in manifest.columns:
                questions += self._close_readings(readings)
            questions += self._contradictions(best)
        else:
            questions += table_questions(self._uses, best.mapping)
            questions += self._doubts[id(best.mapping)]
            questions += self._close_readings(readings)
        for path, kind in sorted(self._aside.items()):
            count = sum(n for folder, n in self._all_folders() if folder[: len(path)] == path)
            if kind == "documents" and count > _FEW_DOCUMENTS * len(self._files):
                questions.append(
                    f"{count:,} images lie in “{shown('/'.join(path))}”, which looks like "
                    "documents. Leave it out, or take it in."
                )
        return (best.mapping if not questions else None), questions

    def _contradictions(self, best: Reading) -> list[str]:
        """Return questions about images whose folders say another class or split than a table."""
        if not self._by_folder or self._by_folder[0].score < _CLOSE:
            return []
        by_folder = self._from_folders(self._by_folder[0], TableMapping("", {})).mapping
        pairs = list(
            zip(
                place(self._files, best.mapping, self._tables, check=False).placements,
                place(self._files, by_folder, (), check=False).placements,
                strict=True,
            )
        )
        labels = {stated.class_name for stated, _ in pairs}
        classes = sum(
            found.class_name in labels and stated.class_name not in (None, found.class_name)
            for stated, found in pairs
        )
        splits = sum(None not in (a.split, b.split) and a.split != b.split for a, b in pairs)
        return [
            f"{count:,} images lie in the folder of another {what} than the table states. Choose "
            "which of the two counts."
            for what, count in (("class", classes), ("split", splits))
            if count
        ]

    def _encoding_matters(self) -> bool:
        """Return whether other names would change more than those of single pictures."""
        return bool(self._tables) or not all(
            folder.isascii() for file in self._files for folder in file.parts[:-1]
        )

    def _all_folders(self) -> list[tuple[Folders, int]]:
        return list(Counter(self._plain).items())

    def _manifest(self) -> TableUse | None:
        """Return the one table, where it is a manifest that needs no question."""
        saying = [use for use in self._uses if use.says_something or heading_says_files(use.table)]
        aside = sum(Counter(self._plain).values()) - sum(self._kept.values())
        if len(saying) == 1 and is_plain_manifest(saying[0], len(self._files) - aside):
            return saying[0]
        return None

    def _close_readings(self, readings: list[Reading]) -> list[str]:
        best = readings[0]
        close = [r for r in readings[1:] if r.score >= _CLOSE * best.score]
        if best.score < 0.3:
            return ["No reading fits well. Choose what each level and column means."]
        if not close:
            return []
        return [f"It can be read in {len(close) + 1} ways. {best.why} Or: {close[0].why} Choose."]

    def notes(self, best: Mapping) -> list[str]:
        """Return what was decided without a question."""
        notes = []
        for entry in best.leave_out:
            name = entry.removeprefix("*/")
            kind = "masks" if is_mask_folder(name.split("/")[-1]) else "documents"
            notes.append(f"“{shown(name)}” is left out as {kind}.")
        if best.patient_in_name:
            notes.append(
                "File names begin with a patient's number. Images of one patient stay in one split."
            )
        elif Role.PATIENT in best.levels:
            notes.append("A folder level holds patients. Images of one patient stay in one split.")
        if any(len(file.parts) - 1 > len(path) for file, path in self._pairs()):
            notes.append("An inner copy of the set is read as the same folders as the outer one.")
        return notes

    def _pairs(self) -> list[tuple[ListedFile, Folders]]:
        return list(zip(self._files, self._plain, strict=True))


def _without_label(use: TableUse) -> TableUse:
    columns = {role: column for role, column in use.columns.items() if role != "label"}
    return replace(use, columns=columns)


def _masked_classes(
    classes: AnyMapping[str, AnyMapping[str, int]],
) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for name, splits in classes.items():
        there = counts.setdefault(shown(name), {})
        for split, count in splits.items():
            there[split] = there.get(split, 0) + count
    return counts


def _split_of_any(word: str) -> str | None:
    return split_of(word) or split_in(word)
