"""Builds listings of archives from paths."""

from __future__ import annotations

from collections.abc import Iterable

from iadd.intake.layout.listing import ListedFile
from iadd.intake.layout.tables import Table


def listed(paths: Iterable[str]) -> list[ListedFile]:
    return [ListedFile(tuple(path.split("/")), 1) for path in paths]


def paths(pattern: str, *, count: int = 4, **names: Iterable[str]) -> list[str]:
    """Fill each name of `pattern` with each of its values, and `{i}` with numbers."""
    filled = [pattern]
    for name, values in names.items():
        filled = [path.replace(f"{{{name}}}", value) for path in filled for value in values]
    return [path.replace("{i}", str(number)) for path in filled for number in range(count)]


def table(name: str, content: bytes | str) -> Table:
    data = content if isinstance(content, bytes) else content.encode()
    parsed = Table.parse(name, data)
    assert parsed is not None
    return parsed
