"""Renews the table of direct dependencies in docs/security.md: `make lock` runs it.

Names come from pyproject.toml, licences from the installed packages; what a package is for stays as
a person wrote it, and a new one gets a question mark, which a test refuses.
"""

import re
import tomllib
from importlib.metadata import PackageMetadata, metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "security.md"
SHIPPED = ("intake", "iadd", "portal", "worker", "service", "tracing")
"""Extras that hospitals install; what only development needs is in requirements/dev.txt."""
HEADING = "| package | needed by | licence | for |\n|---|---|---|---|\n"
_ROW = re.compile(r"^\| `([^`]+)` \| [^|]* \| [^|]* \| (.*) \|$", re.MULTILINE)


def direct_dependencies() -> dict[str, str]:
    """Each package that is named in pyproject.toml, with the extra that needs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = {"": project["dependencies"]}
    lists |= {name: project["optional-dependencies"][name] for name in SHIPPED}
    return {
        name: extra or "all"
        for extra, needed in lists.items()
        for name in (re.match(r"[\w.-]+", text)[0] for text in needed)  # type: ignore[index]
        if name != "iadd-exchange"
    }


def licence_of(name: str) -> str:
    """As the package states it, in the newest of the three ways that there are."""
    stated = metadata(name)
    text = stated.get("License-Expression") or _of_classifiers(stated) or stated.get("License")
    return " ".join((text or "see its page").splitlines()[0].split())


def _of_classifiers(stated: PackageMetadata) -> str:
    named = (text.split(" :: ") for text in stated.get_all("Classifier") or [])
    licences = [parts[-1] for parts in named if parts[0] == "License" and len(parts) > 2]
    return ", ".join(licences)


def renewed(page: str) -> str:
    """The page with its table as it should be."""
    begin = page.index(HEADING) + len(HEADING)
    end = page.index("\n\n", begin)
    purposes = dict(_ROW.findall(page[begin:end]))
    needed = direct_dependencies()
    rows = [
        f"| `{name}` | {needed[name]} | {licence_of(name)} | {purposes.get(name, '?')} |"
        for name in sorted(needed, key=str.lower)
    ]
    return page[:begin] + "\n".join(rows) + page[end:]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
