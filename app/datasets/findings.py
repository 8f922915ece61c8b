"""Groups, searches and pages the findings of a quality report."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    """The reasons for which files were left out, the most frequent first."""
    if "refused_groups" in quality:
        return [Finding(**one) for one in quality["refused_groups"]]
    # Reports of version 0.2 list every file and no group.
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
    files: Iterable[Mapping[str, str]],
    *,
    code: str = "",
    words: Collection[str] = (),
    page: int = 1,
) -> FoundFiles:
    """Files that were left out for this reason ("" for any) and have one of these words.

    Args:
        files: All of them, each with `name`, `code` and `reason`; gone through once, so that
            a million need no memory.
        code: Of the reason.
        words: Parts of a name; none finds every file.
        page: From 1; one beyond the last shows the last.
    """
    looked_for = [word.casefold() for word in words if word]
    page, at, total = max(page, 1), 1, 0
    shown: list[Mapping[str, str]] = []
    for file in files:
        if code not in ("", file["code"]):
            continue
        if looked_for and not any(word in file["name"].casefold() for word in looked_for):
            continue
        number = total // PAGE + 1
        total += 1
        if number > page:
            continue
        if number > at:
            at, shown = number, []
        shown.append(file)
    return FoundFiles(files=shown, total=total, page=at, pages=max(1, -(-total // PAGE)))
