"""Folders without the repetitions that packing and unpacking leave (``x/x/…``)."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_DEPTH = 3


def unfolded(files: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return each file's folders; those of an inner copy of a set are read as the outer ones.

    ``chest_xray/chest_xray/train/NORMAL`` beside ``chest_xray/train/NORMAL`` becomes the latter.
    A folder is an inner copy when it holds all folders that lie beside it, at least two, and has
    the name of its parent or mostly the files of what lies beside it.

    Args:
        files: the parts of each path, folders first.
    """
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    folders = [shared.setdefault(parts[:-1], parts[:-1]) for parts in files]
    for _ in range(_MOST_DEPTH):
        copy = _inner_copy(files, folders)
        if copy is None:
            break
        length = len(copy)
        folders = [
            path[: length - 1] + path[length:] if path[:length] == copy else path
            for path in folders
        ]
    return folders


def _inner_copy(
    files: Sequence[tuple[str, ...]], folders: Sequence[tuple[str, ...]]
) -> tuple[str, ...] | None:
    # Copies lie near the top; deeper folders (patients) need no look.
    children: dict[tuple[str, ...], set[str]] = {}
    for path in set(folders):
        for depth in range(min(len(path), _MOST_DEPTH + 1)):
            children.setdefault(path[:depth], set()).add(path[depth])
    for parent in sorted(children, key=lambda path: (len(path), path)):
        names = children[parent]
        if len(names) < 3:
            continue
        for name in sorted(names):
            inner = children.get((*parent, name), set())
            # Counts first: a parent of 100,000 patients would take the square of that in sets.
            if not 2 <= len(names) - 1 <= len(inner):
                continue
            if not names - {name} <= inner:
                continue
            if (parent and parent[-1] == name) or _mostly_same(files, folders, parent, name):
                return (*parent, name)
    return None


def _mostly_same(
    files: Sequence[tuple[str, ...]],
    folders: Sequence[tuple[str, ...]],
    parent: tuple[str, ...],
    name: str,
) -> bool:
    inner: set[tuple[str, ...]] = set()
    outer: set[tuple[str, ...]] = set()
    depth = len(parent)
    for parts, path in zip(files, folders, strict=True):
        if path[:depth] != parent or len(path) <= depth:
            continue
        if path[depth] == name:
            inner.add((*path[depth + 1 :], parts[-1]))
        else:
            outer.add((*path[depth:], parts[-1]))
    return bool(inner) and len(inner & outer) >= 0.5 * len(inner)
