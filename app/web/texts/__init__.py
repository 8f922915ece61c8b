"""Texts of pages in Fluent (projectfluent.org): one folder per language, one file per part.

Templates hold no text of their own. A translation is a folder beside `en`, with the same names.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from fluent.runtime import FluentLocalization, FluentResourceLoader

FOLDER = Path(__file__).parent
ORIGINAL = "en"


class NoSuchTextError(KeyError):
    """A page uses a text that no catalogue has."""


class Texts:
    """The texts of one language; untranslated ones are in the original."""

    def __init__(self, language: str) -> None:
        self.language = language
        files = sorted(path.name for path in (FOLDER / ORIGINAL).glob("*.ftl"))
        loader = FluentResourceLoader(str(FOLDER / "{locale}"))
        self._localization = FluentLocalization(
            list(dict.fromkeys((language, ORIGINAL))), files, loader, use_isolating=False
        )
        # Looking for a missing text has read every file. Otherwise the first requests
        # would, each in a thread of its own, and the reading is not made for that.
        self.has("")

    def __call__(self, name: str, /, **values: object) -> str:
        """The text of this name. Raises NoSuchTextError."""
        text: str = self._localization.format_value(name, values)
        if text == name:  # what Fluent answers where it has none
            raise NoSuchTextError(name)
        return text

    def has(self, name: str) -> bool:
        return bool(self._localization.format_value(name) != name)


def languages() -> list[str]:
    return sorted(path.name for path in FOLDER.iterdir() if any(path.glob("*.ftl")))


def preferred(wanted: Iterable[str]) -> str:
    """The first of these languages that there is; the original where there is none."""
    known = languages()
    for language in wanted:
        if language in known:
            return language
    return ORIGINAL


@lru_cache
def texts_in(language: str) -> Texts:
    return Texts(language)
