"""Finds folders beside the classes that hold no picture."""

from __future__ import annotations

from collections.abc import Sequence

from iadd.intake.layout.listing import ListedFile
from iadd.intake.layout.mapping import Mapping, Role
from iadd.intake.layout.words import is_docs_folder, is_mask_folder


def empty_classes(
    files: Sequence[ListedFile], mapping: Mapping, folders: Sequence[tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the folders beside the classes that hold no picture.

    Args:
        files: the candidate pictures.
        mapping: one with a class level; without it there are no such folders.
        folders: all folders of the archive, those without a picture too.
    """
    level = mapping.level_of(Role.CLASS)
    if level is None:
        return ()
    there = {path for file in files for path in [file.parts[:-1]]}
    classes = {path[level] for path in there if len(path) > level}
    parents = {path[:level] for path in there if len(path) > level}
    found: dict[str, None] = {}
    for path in sorted(set(folders)):
        if len(path) <= level or path[:level] not in parents or path[level] in classes:
            continue
        name = path[level]
        if not (name.startswith(".") or is_mask_folder(name) or is_docs_folder(name)):
            found[name] = None
    return tuple(found)
