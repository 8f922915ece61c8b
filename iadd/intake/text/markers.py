"""Judges whether a line of text can name anybody. It is judged, and forgotten."""

from __future__ import annotations

import re

_SIDES = "l r d i e left right dcha dcho izda izdo izq droite gauche rechts links"
_VIEWS = (
    "ap pa a p lat lateral ll rl obl oblique frontal chest thorax torax cxr view insp exp "
    "inspiration expiration inspiracion espiracion"
)
_POSTURES = (
    "erect semi semierect upright standing sitting seated supine supino prone decub decubitus "
    "decubito bed bedside portable portatil portátil mobile mobil bipe bipedestacion sentado "
    "sentada acostado liegend stehend sitzend assis debout couché"
)
_WORDS = frozenset(f"{_SIDES} {_VIEWS} {_POSTURES}".split())
# What reading makes of a marker in lead letters; none of these is near a person's name.
_OFTEN_MISREAD = ("portable", "portatil", "supine", "supino", "bipedestacion", "decubito")
_DCHA = re.compile(r"[do0q][cgo0q]ha")
# Of a tube: kV, mA, mAs and what reading makes of them; or a time of day.
_EXPOSURE = re.compile(r"(?:kvp?|[mn][ai]s?|ms)[:=. ]*[0-9]{1,3}(?:[.,][0-9]{1,3})?")
_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?")
_TOKEN = re.compile(r"\w+")
_MOST_DIGITS = 2
"""In a line; three numbers of two digits may be a date of birth."""
_MOST_LETTERS = 2
"""Words of one letter in a line; more of them may spell a name."""


def is_harmless(text: str) -> bool:
    """Return whether a line holds nothing but markers of X-ray pictures.

    Those are sides, views, postures, exposures, times of day, numbers of up to two digits, and
    single signs.
    """
    line = text.strip().casefold()
    if _EXPOSURE.fullmatch(line) or _TIME.fullmatch(line) or _is_single(line):
        return True
    tokens = _TOKEN.findall(line)
    digits = sum(letter.isdecimal() for letter in line)
    letters = sum(len(token) == 1 and token.isalpha() for token in tokens)
    return (
        digits <= _MOST_DIGITS
        and letters <= _MOST_LETTERS
        and all(token.isdecimal() or _is_marker(token) for token in tokens)
    )


def is_short(text: str) -> bool:
    """Return whether a line is of two letters, which name nobody if no other line is there."""
    letters = [letter for letter in text if letter.isalnum()]
    return len(letters) <= 2 and all(letter.isascii() for letter in letters)


def _is_single(line: str) -> bool:
    return sum(letter.isalnum() for letter in line) <= 1


def _is_marker(token: str) -> bool:
    if token in _WORDS or _DCHA.fullmatch(token):
        return True
    return any(_one_letter_apart(token, word) for word in _OFTEN_MISREAD)


def _one_letter_apart(token: str, word: str) -> bool:
    if len(token) == len(word):
        return sum(a != b for a, b in zip(token, word, strict=True)) <= 1
    shorter, longer = sorted((token, word), key=len)
    return len(longer) - len(shorter) == 1 and any(
        longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer))
    )
