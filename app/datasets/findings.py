"""Groups, searches and pages the findings of a quality report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FIRST_NAMES = 5
PAGE = 100


@dataclass(frozen=True)
class Finding:
    """The files that were left out for one reason.

    Attributes:
        code: The stable word of the reason.
        reasons: Explanations given for them; mostly one sentence.
        count: Number of files.
        names: The first of them.
    """

    code: str
    reasons: Sequence[str]
    count: int
    names: Sequence[str]


@dataclass(frozen=True)
class FoundFiles:
    """One page of the files that were looked for.

    Attributes:
        files: Each with its `name`, `code` and `reason`.
        total: Number of matching files on all pages.
        page: Its number, from 1.
        pages: Number of pages, at least 1.
    """

    files: Sequence[Mapping[str, str]]
    total: int
    page: int
    pages: int


def group(quality: Mapping[str, Any]) -> list[Finding]:
    """The findings of a report, the most frequent first."""
    by_code: dict[str, list[Mapping[str, str]]] = {}
    for refused in quality.get("refused", []):
        by_code.setdefault(refused["code"], []).append(refused)
    findings = [
        Finding(
            code=code,
            reasons=list(dict.fromkeys(file["reason"] for file in files)),
            count=len(files),
            names=[file["name"] for file in files[:FIRST_NAMES]],
        )
        for code, files in by_code.items()
    ]
    return sorted(findings, key=lambda finding: (-finding.count, finding.code))


def search(
    quality: Mapping[str, Any], *, code: str = "", text: str = "", page: int = 1
) -> FoundFiles:
    """Files that were left out for this reason ("" for any) and have this text in their names."""
    looked_for = text.strip().casefold()
    files = [
        file
        for file in quality.get("refused", [])
        if code in ("", file["code"]) and looked_for in file["name"].casefold()
    ]
    pages = max(1, -(-len(files) // PAGE))
    page = min(max(page, 1), pages)
    return FoundFiles(
        files=files[(page - 1) * PAGE : page * PAGE], total=len(files), page=page, pages=pages
    )
