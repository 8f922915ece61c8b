"""Renders ``croissant.json``, the machine-readable description of a release.

Croissant 1.1 (http://mlcommons.org/croissant/1.1) with its vocabulary for responsible AI, PROV-O
for where the images come from, and terms of the Data Use Ontology for what they may be used for.
Nothing in it names a patient, a file of the hospital or a person.
"""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from app.releases.duo import parse_conditions
from app.releases.facts import VERDICTS, ReleaseFacts, how_it_began
from app.releases.markdown import one_line
from app.releases.templating import render
from app.signing.keys import rfc3339
from iadd.bundle.format import CERTIFICATE

Json = dict[str, Any]

_FORMATS = {
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
}


def croissant(
    metadata: Mapping[str, Any], release: ReleaseFacts, files: Mapping[str, tuple[int, str]]
) -> Json:
    """Describe a release.

    Args:
        metadata: As ``metadata.json`` of the bundle holds it.
        release: Facts of the release.
        files: Size in bytes and SHA-256 of every file that the bundle holds, by name; itself,
            the sums and the signature, which come later, left out.

    Raises:
        KeyError: When the metadata is none.
        DuoError: When a condition of the release is none.
    """
    text = render(
        "croissant.json",
        release=release,
        released=rfc3339(release.created_at),
        classes=metadata["classes"],
        conditions=parse_conditions(release.duo),
        version=one_line(str(metadata.get("versions", {}).get("iadd-exchange", ""))) or "unknown",
        how_it_began=how_it_began(metadata),
        verdict=VERDICTS.get(release.verdict, one_line(release.verdict)),
        has_certificate=CERTIFICATE["html"] in files,
        size=metadata["image_size"],
        network=metadata["network"]["name"],
        depth=metadata["network"]["depth"],
        files=[
            {
                "name": name,
                "size": size,
                "sha256": sha256,
                "format": _FORMATS.get(PurePosixPath(name).suffix, "application/octet-stream"),
            }
            for name, (size, sha256) in files.items()
            if not name.startswith("images/")
        ],
    )
    document: Json = json.loads(text)
    return document
