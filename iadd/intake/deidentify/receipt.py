"""What was found in a file and taken out of it: kinds and names of fields, never their values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Receipt:
    """The receipt of one file.

    Attributes:
        kinds: what carried descriptions: ``header``, ``private``, ``sequence``, ``overlay``,
            ``curve``, ``file_meta``, ``preamble``, ``pixel_stream``; of other formats ``exif``,
            ``text``, ….
        removed: keywords of the DICOM dictionary of what was taken out; ``(gggg,eeee)`` of private
            and unknown elements.
        replaced: keywords of what now holds a keyed hash, or nothing.
        codes: of PS3.16 context group 7050, what was done: 113100 (basic profile), 113101 (clean
            pixel data).
        file: the masked path (`iadd.intake.deidentify.names.mask_path`).
    """

    kinds: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    file: str = field(default="", kw_only=True)

    def to_dict(self) -> dict[str, object]:
        """Return the receipt as JSON values."""
        return {
            "file": self.file,
            "kinds": list(self.kinds),
            "removed": list(self.removed),
            "replaced": list(self.replaced),
            "codes": list(self.codes),
        }


def to_json_lines(receipts: Iterable[Receipt]) -> str:
    """Return one line of JSON per receipt."""
    return "".join(json.dumps(receipt.to_dict(), ensure_ascii=False) + "\n" for receipt in receipts)
