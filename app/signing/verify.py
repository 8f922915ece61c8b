"""Verifies every byte of a bundle and its signature, without a network.

A bundle has one form (see :mod:`app.signing.zip_container`): its files in the order of their names,
then ``SHA256SUMS``, which lists them all, then, in a release, ``SIGNATURE``, which covers
``SHA256SUMS`` and itself has one form. So no byte is free.

Needs no torch and nothing of the portal: the base install verifies.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.signing.keys import SigningError, fingerprint, rfc3339
from app.signing.signature import LARGEST, Signature
from app.signing.trusted_keys import ADVICE, read_trusted_key
from app.signing.zip_container import (
    DamagedError,
    Entry,
    UnreadableError,
    hash_entry,
    printable,
    read_directory,
    read_entry,
)
from iadd.bundle.format import SIGNATURE, SUMS, list_sums, read_sums

GOOD, BAD, UNREADABLE = 0, 1, 2

_LARGEST_SUMS = 16 * 1024 * 1024


class Verification(NamedTuple):
    """Result of a check.

    Attributes:
        exit_code: 0 good, 1 damaged or forged, 2 cannot be read.
        lines: The same for people.
    """

    exit_code: int
    lines: list[str]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A bundle of which every byte is accounted for.

    Attributes:
        files: Number of files that the sums list.
        sums_sha256: The SHA-256 of the sums: the bundle's fingerprint.
        signature: It holds, for the key that it names; None when the bundle is not signed.
    """

    files: int
    sums_sha256: str
    signature: Signature | None


def verify_bundle(path: Path, trusted_key: str | None = None) -> Verification:
    """Check a bundle.

    Args:
        path: The bundle.
        trusted_key: The public key that it has to be signed with, or one whose owner named, by
            statements that the bundle carries, the key that it is signed with; or the path of a
            file that holds that key. Without it nobody vouches for the signer.
    """
    shown = printable(path.name)
    try:
        trusted = None if trusted_key is None else read_trusted_key(trusted_key)
    except UnreadableError as error:
        return Verification(UNREADABLE, [f"The trusted key cannot be used: {error}", ADVICE])
    try:
        with path.open("rb") as file:
            checked = check(file)
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        return Verification(UNREADABLE, [f"{shown} cannot be read: {reason}."])
    except UnreadableError as error:
        return Verification(UNREADABLE, [f"{shown} cannot be read: {error}"])
    except DamagedError as error:
        return Verification(
            BAD,
            [
                f"{shown} is damaged or forged: {error}",
                "Do not use it. Download it again, or ask the sender for another copy.",
            ],
        )
    lines = [f"{shown} is intact: {checked.files} files are exactly as {SUMS} lists them."]
    if checked.signature is not None:
        lines.append(f"Its fingerprint is {checked.sums_sha256}.")
    if trusted is None:
        return Verification(GOOD, [*lines, *_unknown_signer(checked)])
    code, judged = _judge(checked.signature, trusted)
    return Verification(code, [*lines, *judged])


def check(file: BinaryIO) -> Checked:
    """Account for every byte of a bundle.

    Raises:
        DamagedError: When it is damaged or forged.
        UnreadableError: When it is no bundle.
    """
    listed, sums_entry, signature_entry = _parts(read_directory(file))
    hashes = {entry.name: hash_entry(file, entry) for entry in listed}
    sums = b"".join(read_entry(file, sums_entry))
    if sums != list_sums(hashes):
        raise DamagedError(_difference(sums, hashes))
    sums_sha256 = hashlib.sha256(sums).hexdigest()
    signature = None
    if signature_entry is not None:
        content = b"".join(read_entry(file, signature_entry))
        try:
            signature = Signature.from_bytes(content)
        except SigningError as error:
            raise DamagedError(f"its {SIGNATURE} is none: {error}.") from error
        if problem := signature.problem(sums_sha256):
            raise DamagedError(f"{problem}.")
    return Checked(files=len(listed), sums_sha256=sums_sha256, signature=signature)


def read_bundle(content: bytes) -> tuple[Checked, dict[str, bytes]]:
    """Account for every byte of a bundle, and take its files out, without sums and signature.

    Raises:
        DamagedError: When it is damaged or forged.
        UnreadableError: When it is no bundle.
    """
    file = io.BytesIO(content)
    checked = check(file)
    listed, _, _ = _parts(read_directory(file))
    return checked, {entry.name: b"".join(read_entry(file, entry)) for entry in listed}


def _parts(entries: list[Entry]) -> tuple[list[Entry], Entry, Entry | None]:
    """The files, their sums, and the signature if there is one."""
    *listed, last = entries
    signature = None
    if last.name == SIGNATURE and listed:
        signature = last
        *listed, last = listed
    names = [entry.name for entry in listed]
    if last.name != SUMS or SUMS in names or SIGNATURE in names:
        raise DamagedError(f"its last file is not {SUMS}, with {SIGNATURE} or nothing after it.")
    if names != sorted(set(names)):
        raise DamagedError("its files are not in order, or one is there twice.")
    if last.size > _LARGEST_SUMS:
        raise DamagedError(f"{SUMS} is too large to be one.")
    if signature is not None and signature.size > LARGEST:
        raise DamagedError(f"{SIGNATURE} is too large to be one.")
    return listed, last, signature


def _difference(sums: bytes, hashes: dict[str, str]) -> str:
    """The difference between the list of sums and the files."""
    listed = read_sums(sums)
    for name, digest in hashes.items():
        if name not in listed:
            return f"{name} is not listed in {SUMS}."
        if listed[name] != digest:
            return f"{name} is not the file that {SUMS} lists."
    for name in listed:
        if name not in hashes:
            return f"{printable(name)} is missing."
    return f"{SUMS} is not in the form that it is written in."


def _unknown_signer(checked: Checked) -> list[str]:
    """The lines for a signature without a trusted key."""
    signature = checked.signature
    if signature is None:
        return [
            "Unknown signer: nothing in a bundle proves who made it. To be sure, compare this "
            "fingerprint with the one that the sender gives you by another way:",
            f"  {checked.sums_sha256}",
        ]
    return [
        f"Unknown signer: whoever signed it on {rfc3339(signature.signed_at)} writes the name "
        f"“{signature.organisation}” and used this key, as anybody could:",
        f"  {signature.history.key} (fingerprint {fingerprint(signature.history.key)})",
        "Get the organisation's key from the organisation by another way than the bundle came, "
        "and check again with --trusted-key.",
    ]


def _judge(signature: Signature | None, trusted: str) -> tuple[int, list[str]]:
    """Check that a valid signature is by the trusted key or by a successor of it."""
    if signature is None:
        return BAD, ["It is not signed, so the trusted key proves nothing about it. Do not use it."]
    history = signature.history
    if trusted not in history.keys:
        return BAD, [
            f"It was not signed by the key that you trust ({fingerprint(trusted)}) but by another "
            f"({fingerprint(history.key)}), under the name “{signature.organisation}”. Do not use "
            "it.",
            "If the organisation has a new key, ask for it by another way than the bundle came: "
            "a key that had to be replaced in a hurry cannot vouch for the next one.",
        ]
    signed = (
        f"Signed on {rfc3339(signature.signed_at)} by the owner of the key that you trust "
        f"({fingerprint(trusted)}), under the name “{signature.organisation}”."
    )
    steps = history.rotations[history.keys.index(trusted) :]
    if not steps:
        return GOOD, [signed]
    return GOOD, [
        signed,
        f"That key was replaced on {rfc3339(steps[0].at)}, by its own statement. Trust the present "
        "one from now on:",
        f"  {history.key} (fingerprint {fingerprint(history.key)})",
    ]
