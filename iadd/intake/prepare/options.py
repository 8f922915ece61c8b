"""Settings of one preparation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

from iadd.intake.containers.limits import Limits
from iadd.intake.options import usual_workers

TextPolicy = Literal["hold", "blank", "skip"]
LIMITS = Limits(entries=2_000_000, total_bytes=1 << 46)
"""The source is one's own, and large: an archive of detectors has hundreds of gigabytes."""
SIDE = 448
"""Usual side of the pictures: four times that of the published experiments."""


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Settings of one preparation.

    Attributes:
        key: secret of the hashes of patients; the same key keeps patients together across exports.
        image_size: side S of the square that every picture is resized to.
        text: what becomes of pictures with text in them: ``hold`` leaves them out and lists them,
            ``blank`` paints the text black, ``skip`` looks for none.
        keep_dicom: whether scrubbed DICOM files are written too.
        limits: bounds on the cost of an archive.
        workers: decoding processes.
    """

    key: bytes
    image_size: int = SIDE
    text: TextPolicy = "hold"
    keep_dicom: bool = False
    limits: Limits = LIMITS
    workers: int = field(default_factory=usual_workers)

    @property
    def key_mark(self) -> str:
        """Sixteen digits by which a key is recognised; they do not give it away."""
        return hashlib.sha256(b"intake key\0" + self.key).hexdigest()[:16]
