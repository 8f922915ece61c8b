"""Format of a bundle: names of its files, canonical JSON, sums. Free of torch for the portal."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

METADATA = "metadata.json"
TENSORS = "distilled.safetensors"
CARD = "README.md"
SUMS = "SHA256SUMS"
SIGNATURE = "SIGNATURE"
"""It signs the sums, so they cannot list it. `exchange verify` identifies the signer."""
TERMS = "TERMS.md"
"""Only a release has it, as it has the signature and the description for machines."""
CROISSANT = "croissant.json"
CERTIFICATE = {kind: f"certificate.{kind}" for kind in ("json", "html", "pdf")}
"""The privacy certificate by kind of file; bundles up to version 0.3 have none."""

RESEARCH_ONLY = "For research use. Not a medical device."

_SUM_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def canonical_json(value: Any) -> bytes:
    """Write canonical JSON to hash and sign (RFC 8785, for texts and whole numbers).

    Raises:
        ValueError, TypeError, RecursionError: When JSON cannot hold the value.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def json_file(document: Mapping[str, Any]) -> bytes:
    """Write a JSON file of a bundle, for programs and for people.

    Raises:
        ValueError, TypeError: When JSON cannot hold the document.
    """
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def sha256_of(content: bytes) -> str:
    """Compute the SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def list_sums(hashes: Mapping[str, str]) -> bytes:
    """Write ``SHA256SUMS``: hashes by the name of a file, in the order given."""
    return "".join(f"{digest}  {name}\n" for name, digest in hashes.items()).encode()


def read_sums(sums: bytes) -> dict[str, str]:
    """Read ``SHA256SUMS``: hashes by name. Lines of another form are left out."""
    lines = map(_SUM_LINE.fullmatch, sums.decode(errors="replace").splitlines())
    return {match[2]: match[1] for match in lines if match}


def signed_message(purpose: str, content: bytes) -> bytes:
    """Make the message that is signed: a line that names the purpose, then the content."""
    return f"iadd-exchange {purpose} 1\n".encode() + content
