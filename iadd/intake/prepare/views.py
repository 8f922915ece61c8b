"""Words of views and sites that may stand in a manifest."""

from __future__ import annotations

from iadd.intake.deidentify.names import hash_word
from iadd.intake.errors import printable
from iadd.intake.layout.class_names import looks_like_patient
from iadd.intake.layout.words import is_view

_LONGEST_SITE = 80


def known_view(value: str | None) -> str:
    """Return a view where it is made of known words, else nothing."""
    word = (value or "").strip().upper()
    return word if is_view(word) else ""


def safe_site(value: str | None, key: bytes) -> str:
    """Return a site; a hash in its place where it looks like a person or is too long."""
    site = printable((value or "").strip())
    # A spreadsheet would compute what begins like a formula.
    if looks_like_patient(site) or len(site) > _LONGEST_SITE or site[:1] in tuple("=+@-"):
        return hash_word(site, key)
    return site
