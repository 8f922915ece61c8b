"""A key's fingerprint as words, which are easier to read aloud than digits."""

from functools import cache

from mnemonic import Mnemonic

from app.signing.keys import fingerprint

WORDS = 7
BITS = 11
"""Of a word: the list of BIP 39 has 2,048, of which no two begin with the same four letters."""


@cache
def _list() -> list[str]:
    return Mnemonic("english").wordlist


def fingerprint_words(public_key: str) -> str:
    """The first 77 of the fingerprint's 80 bits, as seven English words."""
    digits = fingerprint(public_key).replace("-", "")
    number = int(digits, 16) >> (4 * len(digits) - WORDS * BITS)
    places = [(number >> BITS * place) % 2**BITS for place in reversed(range(WORDS))]
    return " ".join(_list()[place] for place in places)
