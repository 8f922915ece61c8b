"""Decodes the names of entries, which archives hold as bytes.

A name is UTF-8 where the archive says so or where it is valid UTF-8; all others share one encoding,
chosen by the user or guessed from all of them.
"""

from __future__ import annotations

import codecs

from iadd.intake.containers.guess_encoding import CANDIDATES, NamesGuess, guess_encoding
from iadd.intake.containers.refusals import unknown_encoding

# Enough to judge by, and little to keep.
_MOST_NAMES = 2000
_SEVERAL_BYTES = {"cp932", "gbk", "big5", "cp949", "gb18030", "euc_jp", "euc_kr", "shift_jis"}
_OTHER_ENCODINGS = (
    *("gb18030", "big5hkscs", "cp950", "euc_jp", "euc_kr", "shift_jis", "utf-8", "koi8_r"),
    *(f"cp125{last}" for last in range(9)),
    *(f"iso8859_{part}" for part in range(1, 17) if part != 12),
    *(f"cp{page}" for page in (437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864)),
    *(f"cp{page}" for page in (865, 866, 869, 874)),
    *("mac_roman", "mac_latin2", "mac_cyrillic", "mac_greek", "mac_turkish"),
)
_KNOWN = {codecs.lookup(encoding).name: encoding for encoding in (*_OTHER_ENCODINGS, *CANDIDATES)}


class NamePool:
    """Collects names whose encoding is not told, folders apart from files.

    Attributes:
        utf8: number of names beyond ASCII that are UTF-8; they are not kept.
        others: number of all others.
    """

    def __init__(self) -> None:
        self.utf8 = 0
        self.others = 0
        self._folders: dict[bytes, None] = {}
        self._files: dict[bytes, None] = {}

    def add(self, raw: bytes) -> None:
        """Note a name unless it is UTF-8 or ASCII."""
        if raw.isascii():
            return
        if not is_untold(raw):
            self.utf8 += 1
            return
        self.others += 1
        # Neither of the encodings has ``/`` inside a character; several have the backslash.
        *folders, file = _cut(raw).split(b"/")
        for folder in folders:
            self._note(self._folders, folder)
        self._note(self._files, file)

    def take(self, other: NamePool) -> None:
        """Note the names that another pool has noted."""
        for folder in other._folders:
            self._note(self._folders, folder)
        for file in other._files:
            self._note(self._files, file)

    def guess(self) -> NamesGuess | None:
        """Guess the encoding of the names; None where there are none."""
        names = [*self._folders, *self._files]
        return guess_encoding(names) if names else None

    @staticmethod
    def _note(seen: dict[bytes, None], part: bytes) -> None:
        if not part.isascii() and len(seen) < _MOST_NAMES:
            seen[part] = None


class NameDecoder:
    """Decodes names whose encoding is not told.

    Args:
        encoding: the encoding of those that are not UTF-8; None takes the guess.
        guess: what was guessed; None where all names are UTF-8.

    Raises:
        DatasetError: ``unknown_encoding``.
    """

    def __init__(self, encoding: str | None, guess: NamesGuess | None) -> None:
        chosen = guess.encoding if encoding is None and guess is not None else encoding
        self._encoding = "utf-8" if chosen is None else check_encoding(chosen)
        self._mixed = guess is not None

    def decode(self, raw: bytes) -> str:
        """Return the name with ``/`` between folders; bytes that do not fit are replaced."""
        raw = _cut(raw)
        text = _as_utf8(raw)
        if text is None:
            text = raw.decode(self._encoding, "replace")
        elif self._mixed and self._encoding in _SEVERAL_BYTES and not text.isascii():
            text = self._recheck(raw, text)
        return _with_slashes(text)

    def _recheck(self, raw: bytes, text: str) -> str:
        """Decode a short name as the others are: two letters of GBK may look like UTF-8."""
        if max(text) >= "\u0800":
            return text  # three bytes in a row that look like UTF-8 are UTF-8
        try:
            return raw.decode(self._encoding)
        except UnicodeDecodeError:
            return text


def is_untold(raw: bytes) -> bool:
    """Return whether the encoding of a name has to be guessed: it is not UTF-8."""
    return not raw.isascii() and _as_utf8(raw) is None


def check_encoding(encoding: str) -> str:
    """Return the usual spelling of an encoding.

    Raises:
        DatasetError: ``unknown_encoding``, also for what is no encoding of text.
    """
    try:
        return _KNOWN[codecs.lookup(encoding).name]
    except (LookupError, ValueError, UnicodeError):
        raise unknown_encoding() from None


def decode_utf8(raw: bytes) -> str:
    """Decode a name that is said to be UTF-8; bytes that are not are replaced."""
    return _with_slashes(_cut(raw).decode("utf-8", "replace"))


def _as_utf8(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _cut(raw: bytes) -> bytes:
    """Cut a name at its first NUL, as unzip and tar do."""
    return raw.partition(b"\0")[0]


def _with_slashes(text: str) -> str:
    # After decoding, as half of a character may look like a backslash; so may the rest of one whose
    # first half was replaced.
    return text.replace("\ufffd\\", "\ufffd\ufffd").replace("\\", "/")
