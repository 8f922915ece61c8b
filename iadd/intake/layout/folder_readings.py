"""Readings of the folders alone: which level holds the classes, and what the others are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass

from iadd.intake.layout.class_names import (
    MOST_CLASSES,
    could_be_person,
    looks_like_patient,
    suggested_merges,
)
from iadd.intake.layout.layout import shown
from iadd.intake.layout.levels import Folders, Kind, Survey
from iadd.intake.layout.mapping import Role
from iadd.intake.layout.words import (
    is_docs_folder,
    is_fold,
    is_image_folder,
    is_mask_folder,
    is_shard,
    names_finding,
    split_in,
    split_word,
)

LEAST_IMAGES = 3
LEAST_PEOPLE = 3
"""Folders that look like people's names by chance are two at most."""
_RATHER_MANY = 5
_NEVER_CLASSES = (
    *(Kind.SPLIT, Kind.FOLD, Kind.SHARD, Kind.IMAGES, Kind.PATIENT, Kind.STUDY, Kind.ECHO),
    Kind.VIEW,
)
_ROLES = {
    Kind.CONSTANT: Role.IGNORE,
    Kind.FOLD: Role.IGNORE,
    Kind.SHARD: Role.IGNORE,
    Kind.IMAGES: Role.IGNORE,
    Kind.VIEW: Role.IGNORE,
    Kind.STUDY: Role.IGNORE,
    Kind.ECHO: Role.IGNORE,
    Kind.PATIENT: Role.PATIENT,
    Kind.SITE: Role.SITE,
}
# Levels that change nothing about the class, wherever they lie below it.
_HARMLESS_BELOW = (
    *(Kind.CONSTANT, Kind.IMAGES, Kind.VIEW, Kind.PATIENT, Kind.STUDY, Kind.ECHO, Kind.MANY),
    Kind.SHARD,
)
_WHAT = {
    Kind.FOLD: "folds",
    Kind.SHARD: "pieces of the set",
    Kind.IMAGES: "pictures of each class",
    Kind.VIEW: "projections",
    Kind.PATIENT: "patients",
    Kind.MANY: "patients",
    Kind.STUDY: "examinations",
    Kind.SITE: "hospitals or sites",
    Kind.NAMES: "hospitals or sites",
}


@dataclass(frozen=True)
class FolderReading:
    """One reading of the folders.

    Attributes:
        roles: by level.
        class_level: the level of the classes.
        classes: by class as merged, the pictures per split (``""`` for none).
        merges: suggested merges of spellings.
        splits: by split word met, the split.
        score: 0 to 1.
        why: a sentence.
        doubts: sentences, each a reason to ask; none where the reading is clear.
    """

    roles: tuple[Role, ...]
    class_level: int
    classes: dict[str, dict[str, int]]
    merges: dict[str, str]
    splits: dict[str, str]
    score: float
    why: str
    doubts: tuple[str, ...]


def roles_without_class(levels: list[Survey]) -> tuple[Role, ...]:
    """Return the roles of the levels where a table states the class."""
    return _roles({}, levels, class_level=None, split_level=_split_level(levels, None))


def read_folders(folders: AnyMapping[Folders, int], levels: list[Survey]) -> list[FolderReading]:
    """Return all readings, best first.

    Args:
        folders: by folder path, how many pictures lie in it; without the folders set aside.
        levels: `levels.survey` of them.
    """
    readings = [
        _read(folders, levels, index)
        for index, level in enumerate(levels)
        if level.kind not in _NEVER_CLASSES and len(level.names) > 1
    ]
    return sorted(readings, key=lambda reading: -reading.score)


def _split_level(levels: list[Survey], class_level: int | None) -> int | None:
    for index, level in enumerate(levels):
        if level.kind is Kind.SPLIT and index != class_level:
            return index
    return None


def _roles(
    folders: AnyMapping[Folders, int],
    levels: list[Survey],
    *,
    class_level: int | None,
    split_level: int | None,
) -> tuple[Role, ...]:
    roles: list[Role] = []
    patients = any(level.kind is Kind.PATIENT for level in levels)
    for index, level in enumerate(levels):
        above = class_level is None or index < class_level
        if index == class_level:
            roles.append(Role.CLASS)
        elif index == split_level:
            roles.append(Role.SPLIT)
        elif level.kind is Kind.CONSTANT:
            only_above = all(earlier.kind is Kind.CONSTANT for earlier in levels[:index])
            roles.append(Role.ROOT if only_above and above else Role.IGNORE)
        elif level.kind is Kind.STUDY and not patients and _few_each(level):
            # Examinations are narrower than patients, and better than pictures one by one.
            roles.append(Role.IGNORE if above else Role.PATIENT)
        elif level.kind is Kind.MANY:
            roles.append(Role.IGNORE if patients else Role.PATIENT)
        elif level.kind is Kind.NAMES:
            one = class_level is not None and above and _leads_alone(folders, index, class_level)
            site = class_level is not None and above and not one
            roles.append(Role.SITE if site else Role.ROOT if one else Role.IGNORE)
        else:
            roles.append(_ROLES.get(level.kind, Role.IGNORE))
    # One patient level is enough, the outermost: what lies below belongs to the same person.
    first = roles.index(Role.PATIENT) if Role.PATIENT in roles else len(roles)
    return tuple(
        Role.IGNORE if role is Role.PATIENT and index > first else role
        for index, role in enumerate(roles)
    )


def _few_each(level: Survey) -> bool:
    return len(level.names) >= 8 and level.files / len(level.names) <= 10


def _read(
    folders: AnyMapping[Folders, int], levels: list[Survey], class_level: int
) -> FolderReading:
    split_level = _split_level(levels, class_level)
    raw: Counter[str] = Counter()
    per_split: Counter[tuple[str, str]] = Counter()
    words: dict[str, str] = {}
    unknown: set[str] = set()
    outside = loose = unsplit = 0
    stray: Counter[str] = Counter()
    for path, count in folders.items():
        if len(path) <= class_level:
            outside += count
            loose += count if not path else 0
            if path:
                stray["/".join(path)] += count
            continue
        split = ""
        if split_level is not None:
            if len(path) > split_level:
                word = path[split_level]
                split = split_in(word) or ""
                if split:
                    words[word] = split
                else:
                    unknown.add(word)
            unsplit += count if not split else 0
        raw[path[class_level]] += count
        per_split[path[class_level], split] += count
    merges = suggested_merges(raw)
    classes: dict[str, dict[str, int]] = {}
    for (name, split), count in sorted(per_split.items()):
        counts = classes.setdefault(merges.get(name, name), {})
        counts[split] = counts.get(split, 0) + count
    total = sum(folders.values())
    doubts = [
        *_doubts_about_names(classes, merges, raw),
        *_doubts_about_splits(levels, words, unknown, unsplit, split_level, total),
        *_doubts_about_levels(levels, class_level, split_level, folders),
        *_doubts_about_strays(outside, loose, stray, total),
    ]
    return FolderReading(
        roles=_roles(folders, levels, class_level=class_level, split_level=split_level),
        class_level=class_level,
        classes=classes,
        merges=merges,
        splits=words,
        score=_score(folders, levels, class_level, classes, outside / max(total, 1)),
        why=_why(levels, class_level, split_level, classes),
        doubts=tuple(doubts),
    )


def _score(
    folders: AnyMapping[Folders, int],
    levels: list[Survey],
    class_level: int,
    classes: AnyMapping[str, AnyMapping[str, int]],
    outside: float,
) -> float:
    level = levels[class_level]
    names = list(classes)
    findings = sum(map(names_finding, names)) / len(names)
    small = sum(sum(counts.values()) < LEAST_IMAGES for counts in classes.values()) / len(names)
    odd = sum(map(_odd_class, names)) / len(names)
    score = (1 - outside) * (0.6 + 0.4 * findings) * (1 - 0.7 * small) * (1 - 0.8 * odd)
    score *= {Kind.SITE: 0.35, Kind.MANY: 0.3}.get(level.kind, 1.0)
    if len(names) == 1:
        score *= 0.3
    elif len(names) > 20:
        score *= 0.5 if len(names) <= MOST_CLASSES else 0.1
    unexplained = [
        index
        for index, other in enumerate(levels[:class_level])
        if other.kind is Kind.NAMES and not _leads_alone(folders, index, class_level)
    ]
    score *= 0.6 ** len(unexplained)
    below = [other for other in levels[class_level + 1 :] if other.kind is Kind.NAMES]
    score *= 0.75 ** len(below)
    if findings < 0.5 and any(_speak_of_findings(other) for other in below):
        score *= 0.5
    above = class_level - 1
    if above in unexplained or (class_level and levels[above].kind is Kind.SITE):
        score *= 0.5 + 0.5 * _repeated(folders, class_level)
    return score


def _speak_of_findings(level: Survey) -> bool:
    return 2 * sum(map(names_finding, level.names)) >= len(level.names)


def _leads_alone(folders: AnyMapping[Folders, int], level: int, class_level: int) -> bool:
    """Return whether all classes lie below one folder of a level; the others are strays."""
    return len({path[level] for path in folders if len(path) > class_level}) == 1


def _repeated(folders: AnyMapping[Folders, int], level: int) -> float:
    """Return the share of names of a level that occur below more than one parent."""
    parents: dict[str, set[str]] = {}
    for path in folders:
        if len(path) > level:
            parents.setdefault(path[level], set()).add(path[level - 1])
    return sum(len(found) > 1 for found in parents.values()) / max(len(parents), 1)


def _odd_class(name: str) -> bool:
    return (
        split_word(name) is not None
        or is_fold(name)
        or is_shard(name)
        or is_image_folder(name)
        or is_mask_folder(name)
        or is_docs_folder(name)
        or looks_like_patient(name)
    )


def _doubts_about_names(
    classes: AnyMapping[str, AnyMapping[str, int]],
    merges: AnyMapping[str, str],
    raw: AnyMapping[str, int],
) -> list[str]:
    doubts = []
    if len(classes) > MOST_CLASSES:
        doubts.append(
            f"{len(classes):,} folders would be classes; at most {MOST_CLASSES} are allowed. If "
            "they are patients, give their level the role “patient”."
        )
    elif small := [n for n, counts in classes.items() if sum(counts.values()) < LEAST_IMAGES]:
        doubts.append(
            f"{listed(small)} would be {'a class' if len(small) == 1 else 'classes'} with fewer "
            f"than {LEAST_IMAGES} images. Add images, leave them out, merge them, or choose "
            "another level."
        )
    if merges:
        alike = [
            listed([into, *(name for name, other in merges.items() if other == into)])
            for into in dict.fromkeys(merges.values())
        ]
        doubts.append(
            f"{'; '.join(alike)} look like spellings of one class. Confirm the merge, or drop it "
            "to keep them apart."
        )
    if patients := sum(map(looks_like_patient, raw)):
        doubts.append(
            f"{patients:,} of the {len(raw):,} class folders have names that look like patients. "
            "Give their level the role “patient”, or rename them."
        )
    elif (people := sum(map(could_be_person, raw))) >= max(LEAST_PEOPLE, 0.5 * len(raw)):
        doubts.append(
            f"{people:,} of the {len(raw):,} class folders could bear the names of people. "
            "Confirm that they are classes, or give their level the role “patient”."
        )
    elif _could_be_patients(classes):
        doubts.append(
            f"{len(classes):,} folders of few images each would be classes. If they are patients, "
            "give their level the role “patient”."
        )
    if odd := [name for name in classes if _odd_class(name) and not looks_like_patient(name)]:
        doubts.append(f"{listed(odd)} would be classes. Choose another level, or leave them out.")
    return doubts


def _could_be_patients(classes: AnyMapping[str, AnyMapping[str, int]]) -> bool:
    """Return whether classes are rather many, hold few images each, and name no finding."""
    images = sum(sum(counts.values()) for counts in classes.values())
    few = len(classes) >= _RATHER_MANY and images <= 10 * len(classes)
    plain = all(len(name) > 2 and re.sub(r"[ '’-]", "", name).isalpha() for name in classes)
    return few and plain and not any(map(names_finding, classes))


def _doubts_about_splits(
    levels: list[Survey],
    words: AnyMapping[str, str],
    unknown: set[str],
    unsplit: int,
    split_level: int | None,
    total: int,
) -> list[str]:
    doubts = []
    for word, split in words.items():
        found = split_word(word)
        if found is None or not found.sure:
            doubts.append(f"Is the folder “{shown(word)}” the {split} split? Confirm or change it.")
    if unknown:
        doubts.append(
            f"{listed(sorted(unknown))} {'lies' if len(unknown) == 1 else 'lie'} beside split "
            "folders. Say under split_words which split it is, or leave it out."
        )
    elif unsplit:
        doubts.append(
            f"{unsplit:,} of {total:,} images lie in no split folder. They would be split anew; "
            "leave them out or move them."
        )
    if sum(level.kind is Kind.SPLIT for level in levels) > (split_level is not None):
        doubts.append("Two levels have names of splits. Say which one counts.")
    if words and "train" not in words.values():
        doubts.append("No folder is the train split. Give one split word the value “train”.")
    return doubts


def _doubts_about_levels(
    levels: list[Survey],
    class_level: int,
    split_level: int | None,
    folders: AnyMapping[Folders, int],
) -> list[str]:
    doubts = []
    for index, level in enumerate(levels):
        kind = level.kind
        if index in (class_level, split_level) or kind is Kind.SPLIT:
            continue
        samples = listed(sorted(level.names)[:3])
        above = index < class_level
        alone = above and kind is Kind.NAMES and _leads_alone(folders, index, class_level)
        if above and not alone and kind not in (Kind.CONSTANT, Kind.IMAGES, Kind.ECHO):
            what = _WHAT.get(kind, "classes of their own")
            if kind in (Kind.PATIENT, Kind.MANY, Kind.STUDY):
                doubts.append(
                    f"The folders of level {index + 1}, above the classes, look like {what}. "
                    "Confirm it, or choose another role."
                )
            else:
                doubts.append(f"{samples} lie above the classes. Are they {what}?")
        elif not above and kind not in _HARMLESS_BELOW and _divides(folders, index):
            doubts.append(
                f"{samples} lie below the classes. Are they classes of their own, or only parts?"
            )
    return doubts


def _divides(folders: AnyMapping[Folders, int], level: int) -> bool:
    """Return whether a level has several names, or one that speaks of a finding."""
    names = {path[level] for path in folders if len(path) > level}
    return len(names) > 1 or any(map(names_finding, names))


def _doubts_about_strays(outside: int, loose: int, stray: Counter[str], total: int) -> list[str]:
    if stray:
        return [
            f"{sum(stray.values()):,} images lie in {listed(list(stray))}, outside the classes. "
            "Leave them out, or choose another level."
        ]
    # A few pictures beside the class folders are reported one by one; many need an answer.
    if loose > max(1, 0.1 * total):
        return [f"{outside:,} of {total:,} images lie in no class folder. Move or leave them out."]
    return []


def _why(
    levels: list[Survey],
    class_level: int,
    split_level: int | None,
    classes: AnyMapping[str, object],
) -> str:
    parts = [f"level {class_level + 1} holds the classes ({listed(list(classes))})"]
    if split_level is not None:
        parts.append(f"level {split_level + 1} the given splits")
    for index, level in enumerate(levels):
        if index in (class_level, split_level):
            continue
        if what := _WHAT.get(level.kind):
            below = index > class_level and level.kind is Kind.NAMES
            parts.append(f"level {index + 1} {'parts of them' if below else what}")
    return "Folders: " + ", ".join(parts) + "."


def listed(names: list[str]) -> str:
    """Return names as a phrase, at most five of them; masked where they could name a patient."""
    first = ", ".join(f"“{shown(name)}”" for name in names[:5])
    return first if len(names) <= 5 else f"{first} and {len(names) - 5:,} more"
