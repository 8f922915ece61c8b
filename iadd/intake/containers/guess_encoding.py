"""Guesses the one encoding of all names of an archive that does not say it.

Each candidate decodes every name; the names that come out are judged by how common their
characters are and by how they stand: an umlaut inside a word, no capital behind a small letter.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from iadd.intake.containers import common_characters as common
from iadd.intake.containers.common_characters import Letters

_SURE_SCORE = 0.5
_SURE_MARGIN = 0.2
_MOST_SAMPLES = 5
_SIGNS_IN_NAMES = (
    "\u00ab\u00bb\u2013\u2014\u2019\u00b0\u00ba\u00aa\u00b2\u00b5\u2116"  # «»–—’°ºª²µ№
)
_WORDS_OF_ONE_LETTER = "àéèÀÉÈ"


@dataclass(frozen=True)
class NamesGuess:
    """How names of unknown encoding were decoded.

    Attributes:
        encoding: the most plausible encoding, a name that Python knows.
        candidates: all that were tried, the most plausible first.
        sure: whether the first wins clearly over each that gives other names.
        samples: by candidate, some names as they would come out; they may name patients, so they
            are for the owner of the archive alone.
    """

    encoding: str
    candidates: tuple[str, ...]
    sure: bool
    samples: dict[str, tuple[str, ...]]


# Judges a text by the mean over its characters beyond ASCII, from 0 to 1.
_Judge = Callable[[str], float]


def guess_encoding(names: Sequence[bytes]) -> NamesGuess:
    """Guess the encoding of names that are not UTF-8.

    Args:
        names: names of folders and files, at least one, those to show as samples first.
    """
    scores = {encoding: _score(names, encoding, judge) for encoding, judge in _JUDGES.items()}
    ranked = sorted(scores, key=lambda encoding: -scores[encoding])  # stable: ties as listed
    best, *others = ranked
    rival = max((scores[other] for other in others if _differ(names, best, other)), default=0.0)
    sure = scores[best] >= _SURE_SCORE and scores[best] - rival >= _SURE_MARGIN
    samples = {encoding: _samples(names, encoding) for encoding in ranked}
    return NamesGuess(best, tuple(ranked), sure, samples)


def _samples(names: Sequence[bytes], encoding: str) -> tuple[str, ...]:
    return tuple(name.decode(encoding, "replace") for name in names[:_MOST_SAMPLES])


def _differ(names: Iterable[bytes], one: str, other: str) -> bool:
    return any(name.decode(one, "replace") != name.decode(other, "replace") for name in names)


def _score(names: Sequence[bytes], encoding: str, judge: _Judge) -> float:
    total = 0.0
    for name in names:
        try:
            total += judge(name.decode(encoding))
        except UnicodeDecodeError:
            continue  # counts as 0
    return total / len(names)


# ----------------------------------------------------------------------- ideographs and syllables


def _judge_signs(frequent: frozenset[str], weight: Callable[[str], float]) -> _Judge:
    def judge(text: str) -> float:
        weights = [1.0 if sign in frequent else weight(sign) for sign in text if sign > "\x7f"]
        return sum(weights) / max(1, len(weights))

    return judge


def _wide_weight(sign: str) -> float:
    """Weigh what all of these languages share: full-width letters, digits and punctuation."""
    if "\uff01" <= sign <= "\uff5e":
        return 0.4 if sign.isalnum() or sign in "\uff08\uff09\uff3f\uff0d" else 0.2
    return 0.3 if sign in "\u3000\u3001\u3002\u30fb\u00b7\u300c\u300d\u3010\u3011" else 0.0


def _japanese_weight(sign: str) -> float:
    if "\uff61" <= sign <= "\uff9f":  # half-width katakana: each single byte 0xA1…0xDF gives one
        return 0.25
    lead = sign.encode("cp932")[0]
    if 0x88 <= lead <= 0x97:  # kanji of level 1
        return 0.6
    return 0.15 if 0x98 <= lead <= 0xEA else _wide_weight(sign)


def _simplified_weight(sign: str) -> float:
    code = sign.encode("gbk")
    if code[-1] < 0xA1 or code[0] < 0xA1:  # the extension beyond GB2312
        return 0.05
    if 0xB0 <= code[0] <= 0xD7:  # level 1
        return 0.55
    return 0.2 if 0xD8 <= code[0] <= 0xF7 else _wide_weight(sign)


def _traditional_weight(sign: str) -> float:
    lead = sign.encode("big5")[0]
    if 0xA4 <= lead <= 0xC6:  # frequently used
        return 0.55
    return 0.15 if lead >= 0xC9 else _wide_weight(sign)


def _korean_weight(sign: str) -> float:
    code = sign.encode("cp949")
    if code[-1] < 0xA1 or code[0] < 0xA1:  # the extension beyond KS X 1001
        return 0.15
    if 0xB0 <= code[0] <= 0xC8:  # syllables
        return 0.5
    return 0.1 if code[0] >= 0xCA else _wide_weight(sign)


# ------------------------------------------------------------------------------------------ letters


def _judge_letters(letters: Letters, factor: Callable[[str, int], float]) -> _Judge:
    def weigh(text: str, at: int) -> float:
        weight = letters.get(text[at])
        if weight is None:
            return 0.2 if text[at] in _SIGNS_IN_NAMES else 0.0
        return weight * _case_factor(text, at) * factor(text, at)

    def judge(text: str) -> float:
        text = unicodedata.normalize("NFC", text)
        weights = [weigh(text, at) for at, letter in enumerate(text) if letter > "\x7f"]
        return sum(weights) / max(1, len(weights))

    return judge


def _word_around(text: str, at: int) -> str:
    """Return the word that holds a letter; words joined by capitals (``NormalÉtat``) are parted."""
    first = last = at
    while first and text[first - 1].isalpha() and not _begins_word(text, first):
        first -= 1
    while last + 1 < len(text) and text[last + 1].isalpha() and not _begins_word(text, last + 1):
        last += 1
    return text[first : last + 1]


def _begins_word(text: str, at: int) -> bool:
    return "A" <= text[at] <= "Z" and text[at - 1].islower()


def _case_factor(text: str, at: int) -> float:
    """Lower the weight in words of mixed capitals, which wrong encodings give (``NÚgatif``)."""
    word = _word_around(text, at)
    fits = word.islower() or word.isupper() or (word[0].isupper() and word[1:].islower())
    return 1.0 if fits else 0.15


def _latin_factor(text: str, at: int) -> float:
    """Lower the weight of accented letters in a row: words have ASCII letters in between."""
    first = last = at
    while first and text[first - 1] > "\x7f":
        first -= 1
    while last + 1 < len(text) and text[last + 1] > "\x7f":
        last += 1
    row = last - first + 1
    if row >= 3:
        return 0.1
    if row == 2:
        return 0.9
    return 1.0 if len(_word_around(text, at)) > 1 or text[at] in _WORDS_OF_ONE_LETTER else 0.4


def _alphabet_factor(text: str, at: int) -> float:
    """Lower the weight beside ASCII letters, as alphabets are not mixed inside a word."""
    word = _word_around(text, at)
    if any(letter.isascii() for letter in word):
        return 0.1
    return 1.0 if len(word) > 1 else 0.5


_JUDGES: dict[str, _Judge] = {
    "cp932": _judge_signs(common.JAPANESE, _japanese_weight),
    "gbk": _judge_signs(common.SIMPLIFIED, _simplified_weight),
    "big5": _judge_signs(common.TRADITIONAL, _traditional_weight),
    "cp949": _judge_signs(common.KOREAN, _korean_weight),
    "cp1252": _judge_letters(common.WESTERN, _latin_factor),
    "cp850": _judge_letters(common.WESTERN, _latin_factor),
    "cp437": _judge_letters(common.WESTERN, _latin_factor),
    "cp1250": _judge_letters(common.CENTRAL, _latin_factor),
    "cp852": _judge_letters(common.CENTRAL, _latin_factor),
    "cp1251": _judge_letters(common.CYRILLIC, _alphabet_factor),
    "cp866": _judge_letters(common.CYRILLIC, _alphabet_factor),
    "cp1253": _judge_letters(common.GREEK, _alphabet_factor),
}
CANDIDATES = tuple(_JUDGES)
