"""Makes file and folder names safe to store and show: words that may name a patient are hashed.

``MUELLER^HANS_1950/img_01.png`` becomes ``~5e1c0a^~b7d2f4_1950/img_01.png``. Who knows the name
and has the key finds the file by the hash of the name; nobody else learns it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from iadd.intake.deidentify.hashes import hash_patient, keyed_hash
from iadd.intake.deidentify.words import TECHNICAL_WORDS
from iadd.intake.errors import printable

__all__ = ["folder_hashes", "hash_patient", "hash_word", "mask_path", "path_hash"]

_WORD_DIGITS = 6
_PATH_DIGITS = 32
_LONGEST_NUMBER = 5
"""Digits of a number that stays; a longer one may be a date of birth or a record's number."""
_MOST_LETTERS = 2
"""Single letters in a name that stay; more of them may spell a word."""

_RANDOM = re.compile(
    # A UUID; what MIMIC-CXR calls its pictures; a digest in hexadecimal.
    r"(?<![0-9a-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4,12}){3,}|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})"
    r"(?![0-9a-z])",
    re.IGNORECASE,
)
# Digits that one sign or a space parts are one number: 12.03.1954, 4711-0815. All but ASCII's
# signs and digits is part of a word, whatever alphabet it is written in.
_TOKEN = re.compile(r"[0-9]+(?:[-._ /,:+][0-9]+)*|[^\x00-\x40\x5b-\x60\x7b-\x7f]+")


def mask_path(parts: Sequence[str], kept: Collection[str], key: bytes) -> str:
    """Return a path in which words and numbers that may point to a patient are hashed.

    Args:
        parts: folders and file name.
        kept: names of classes and split folders, which stay; their words stay in file names too.
        key: secret of the organisation; equal words under one key have equal hashes.

    Returns:
        The parts, joined by ``/``: printable, and of bounded length. Digits of up to five, single
        letters, words of radiology and of file systems, and random names stay; any other word is
        ``~`` and six hexadecimal digits.
    """
    whole = {_plain(name) for name in kept}
    words = {word for name in whole for word in _TOKEN.findall(name) if not word[0].isdecimal()}
    return printable(
        "/".join(
            part if _plain(part) in whole else _mask(unicodedata.normalize("NFC", part), words, key)
            for part in parts
        )
    )


def hash_word(word: str, key: bytes) -> str:
    """Return what `mask_path` writes for a word that may be a name; case makes no difference."""
    return "~" + keyed_hash("word", _plain(word), key, _WORD_DIGITS)


def path_hash(parts: Sequence[str], key: bytes) -> str:
    """Return 32 hexadecimal digits by which a file or folder is found without its name."""
    return keyed_hash("path", "/".join(parts), key, _PATH_DIGITS)


def folder_hashes(parts: Sequence[str], key: bytes) -> tuple[str, ...]:
    """Return the `path_hash` of each folder that a file lies in, from the top."""
    return tuple(path_hash(parts[:depth], key) for depth in range(1, len(parts)))


def _plain(word: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).casefold())


def _mask(part: str, kept_words: Collection[str], key: bytes) -> str:
    masked: list[str] = []
    end = 0
    for random in _RANDOM.finditer(part):
        if any(letter.isdecimal() for letter in random[0]) and not random[0].isdecimal():
            masked += [_mask_words(part[end : random.start()], kept_words, key), random[0]]
            end = random.end()
    return "".join(masked) + _mask_words(part[end:], kept_words, key)


def _mask_words(text: str, kept_words: Collection[str], key: bytes) -> str:
    tokens = _TOKEN.findall(text)
    spelt = sum(len(token) == 1 and token.isalpha() for token in tokens) > _MOST_LETTERS

    def mask(match: re.Match[str]) -> str:
        token = match[0]
        plain = _plain(token)
        if token[0] in "0123456789":
            harmless = sum(letter.isdecimal() for letter in token) <= _LONGEST_NUMBER
        elif len(token) == 1:
            harmless = token.isascii() and not spelt
        else:
            harmless = plain in TECHNICAL_WORDS
        return token if harmless or plain in kept_words else hash_word(token, key)

    return _TOKEN.sub(mask, text)
