"""What the names of one folder level look like, all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from iadd.intake.layout.class_names import looks_like_patient, looks_like_study
from iadd.intake.layout.words import (
    is_docs_folder,
    is_fold,
    is_image_folder,
    is_mask_folder,
    is_shard,
    is_site,
    is_view,
    names_finding,
    split_in,
    split_word,
)

Folders = tuple[str, ...]


class Kind(StrEnum):
    """What a level's names look like."""

    CONSTANT = "constant"
    SPLIT = "split"
    FOLD = "fold"
    SHARD = "shard"
    IMAGES = "images"
    VIEW = "view"
    PATIENT = "patient"
    STUDY = "study"
    SITE = "site"
    ECHO = "echo"
    MANY = "many"
    NAMES = "names"


@dataclass(frozen=True)
class Survey:
    """One level of folders.

    Attributes:
        kind: what its names look like.
        names: by name, how many pictures lie in it or deeper.
        files: how many pictures lie in this level or deeper.
    """

    kind: Kind
    names: Counter[str]
    files: int


def survey(folders: Mapping[Folders, int]) -> list[Survey]:
    """Look at each level.

    Args:
        folders: by folder path, how many pictures lie in it.
    """
    total = sum(folders.values())
    deepest = max(map(len, folders), default=0)
    levels: list[Survey] = []
    for index in range(deepest):
        names: Counter[str] = Counter()
        for path, count in folders.items():
            if len(path) > index:
                names[path[index]] += count
        files = names.total()
        levels.append(Survey(_kind(folders, index, names, files, total), names, files))
    for index, (level, below) in enumerate(pairwise(levels)):
        if level.kind is Kind.NAMES and _one_finding_each(folders, index, level, below):
            levels[index] = Survey(Kind.PATIENT, level.names, level.files)
    return levels


def _one_finding_each(
    folders: Mapping[Folders, int], index: int, level: Survey, below: Survey
) -> bool:
    """Return whether each folder holds one finding that others have too: so do those of people."""
    if not 2 <= len(below.names) < len(level.names) or level.files != below.files:
        return False
    if _share(map(names_finding, below.names)) < 0.5 or _share(map(names_finding, level.names)) > 0:
        return False
    children: dict[Folders, set[str]] = {}
    for path in folders:
        children.setdefault(path[: index + 1], set()).add(path[index + 1])
    return _share(len(names) == 1 for names in children.values()) >= 0.7


def _kind(
    folders: Mapping[Folders, int], index: int, names: Counter[str], files: int, total: int
) -> Kind:
    if index and all(
        path[index].casefold() == path[index - 1].casefold()
        for path in folders
        if len(path) > index
    ):
        return Kind.ECHO
    if len(names) == 1 and files == total:
        return Kind.CONSTANT
    distinct = len(names)
    if _share(split_word(name) is not None for name in names) >= 0.5 or _are_splits_of_one(names):
        return Kind.SPLIT
    if all(map(is_fold, names)):
        return Kind.FOLD
    if all(map(is_shard, names)) or _opens_next_level(folders, index):
        return Kind.SHARD
    if all(map(is_image_folder, names)):
        return Kind.IMAGES
    if all(map(is_view, names)):
        return Kind.VIEW
    if _share(map(looks_like_study, names)) >= 0.6:
        return Kind.STUDY
    if _share(map(looks_like_patient, names)) >= 0.5:
        return Kind.PATIENT
    findings = _share(map(names_finding, names))
    if findings < 0.5 and _share(map(is_site, names)) >= 0.5:
        return Kind.SITE
    # Folders of patients are many and hold few pictures each, whatever they are called.
    if distinct >= 8 and files / distinct <= 10 and findings < 0.2:
        return Kind.MANY
    return Kind.NAMES


def _are_splits_of_one(names: Iterable[str]) -> bool:
    """Return whether each name holds a word of a split, of two splits at least (``cxr_train``)."""
    splits = [split_in(name) for name in names]
    return None not in splits and len(set(splits)) > 1


def _share(answers: Iterable[bool]) -> float:
    listed = list(answers)
    return sum(listed) / len(listed) if listed else 0.0


def _opens_next_level(folders: Mapping[Folders, int], index: int) -> bool:
    """Return whether all names are the beginnings of the folders below (``p10/p10000032``)."""
    below = [path for path in folders if len(path) > index + 1]
    return bool(below) and all(
        path[index + 1] != path[index] and path[index + 1].startswith(path[index]) for path in below
    )


def set_aside(folders: Mapping[Folders, int]) -> dict[Folders, str]:
    """Return the folders of masks and documents beside the pictures, each with its kind."""
    children: dict[Folders, set[str]] = {}
    holds: set[Folders] = set()
    for path in folders:
        holds.add(path)
        for depth in range(len(path)):
            children.setdefault(path[:depth], set()).add(path[depth])
    aside: dict[Folders, str] = {}
    kinds = {name: _aside_kind(name) for names in children.values() for name in names}
    for path in folders:
        for depth, name in enumerate(path):
            beside = len(children[path[:depth]]) > 1 or path[:depth] in holds
            if beside and (kind := kinds[name]):
                aside.setdefault(path[: depth + 1], kind)
                break
    if all(any(path[: len(top)] == top for top in aside) for path in folders):
        return {}
    return aside


def _aside_kind(name: str) -> str | None:
    if is_mask_folder(name):
        return "masks"
    return "documents" if is_docs_folder(name) else None


def under(path: Folders, tops: Mapping[Folders, str]) -> Folders | None:
    """Return the one of `tops` that `path` lies in, None for none."""
    return next((path[:depth] for depth in range(1, len(path) + 1) if path[:depth] in tops), None)
