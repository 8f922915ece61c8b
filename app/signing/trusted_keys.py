"""Reads trusted keys, given as text or in a file."""

from pathlib import Path

from app.signing.keys import SigningError, parse_public_key
from app.signing.zip_container import UnreadableError

ADVICE = (
    "A key is 51 characters that begin with ed25519: – give it, or a file that holds it and "
    "nothing else, as you got it from the signer."
)

_LARGEST_FILE = 4096


def read_trusted_key(given: str) -> str:
    """The key that was given, or that the file holds that was given.

    Raises:
        UnreadableError: It is neither. The message says why; `ADVICE` says what would be.
    """
    if given.strip().startswith("ed25519:"):
        lines = [given]
    else:
        try:
            with Path(given).open("rb") as file:
                content = file.read(_LARGEST_FILE + 1)
        except (OSError, ValueError):  # ValueError: a NUL in it
            raise UnreadableError("it is neither a key nor a file that can be read.") from None
        if len(content) > _LARGEST_FILE:
            raise UnreadableError("the file is too large to hold a key alone.")
        written = content.decode(errors="replace").splitlines()
        lines = [line for line in written if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise UnreadableError("the file does not hold one key.")
    try:
        return parse_public_key(lines[0])
    except SigningError as error:
        raise UnreadableError(f"{error}.") from error
