"""Packs a release from a distillation's bundle: adds terms, descriptions and the signature.

The same bundle, facts, key and time give the same bytes.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from app.releases.card import render_release_card
from app.releases.certificate import complete
from app.releases.croissant import croissant
from app.releases.duo import DuoError
from app.releases.facts import ReleaseFacts
from app.signing.keys import SigningError
from app.signing.signature import Signature, Signer
from app.signing.verify import read_bundle
from app.signing.zip_container import DamagedError, UnreadableError, write_container
from iadd.bundle.format import (
    CARD,
    CROISSANT,
    METADATA,
    SIGNATURE,
    SUMS,
    TERMS,
    json_file,
    list_sums,
    sha256_of,
)


class PackError(ValueError):
    """A release cannot be made of this. The message says why."""


def pack_release(
    bundle: Path | bytes, *, facts: ReleaseFacts, signer: Signer, signed_at: datetime
) -> bytes:
    """Make the file that other organisations download.

    Args:
        bundle: As the distillation stored it.
        facts: Facts of the release.
        signer: The organisation that releases it, with its key.
        signed_at: When, in a time zone.

    Raises:
        PackError: When the bundle is not as it was packed, is a release already or was refuted,
            or when facts or key cannot be used.
        OSError: When the bundle cannot be opened.
    """
    if facts.verdict == "refuted":
        raise PackError("what an audit refuted is never released")
    files = _read(bundle if isinstance(bundle, bytes) else bundle.read_bytes())
    metadata = _metadata(files)
    try:
        files[TERMS] = facts.terms.encode()
        complete(files, facts)
        files[CARD] = render_release_card(facts, metadata, files[CARD].decode()).encode()
        files[CROISSANT] = json_file(
            croissant(
                metadata,
                facts,
                {
                    name: (len(content), sha256_of(content))
                    for name, content in sorted(files.items())
                },
            )
        )
        return _sealed(files, signer, signed_at)
    except (SigningError, DuoError) as error:
        raise PackError(f"the release cannot be signed: {error}") from error
    except DamagedError as error:
        raise PackError(f"the release cannot be packed: {error}") from error
    # Texts that are none (a lone surrogate, a time without zone), metadata without its members.
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PackError("the release cannot be described: what it says is not complete") from error


def _read(content: bytes) -> dict[str, bytes]:
    """The files of an unmodified bundle."""
    try:
        checked, files = read_bundle(content)
    except (DamagedError, UnreadableError) as error:
        raise PackError(f"the distillation's bundle is not as it was packed: {error}") from error
    if checked.signature is not None or TERMS in files or CROISSANT in files:
        raise PackError("this bundle is a release already: release the distillation's own")
    for name in (CARD, METADATA):
        if name not in files:
            raise PackError(f"this is not a distillation's bundle: it holds no {name}")
    return files


def _metadata(files: dict[str, bytes]) -> dict[str, Any]:
    try:
        metadata = json.loads(files[METADATA])
    except (ValueError, RecursionError) as error:
        raise PackError(f"the bundle's {METADATA} cannot be read") from error
    if not isinstance(metadata, dict):
        raise PackError(f"the bundle's {METADATA} cannot be read")
    return metadata


def _sealed(files: dict[str, bytes], signer: Signer, signed_at: datetime) -> bytes:
    ordered = dict(sorted(files.items()))
    sums = list_sums({name: sha256_of(content) for name, content in ordered.items()})
    signature = Signature.make(signer, sums_sha256=sha256_of(sums), signed_at=signed_at)
    return write_container({**ordered, SUMS: sums, SIGNATURE: signature.to_bytes()})
