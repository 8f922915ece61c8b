"""The text that lies in a prepared folder, for whoever finds it."""

from __future__ import annotations

from iadd.intake.prepare.options import PrepareOptions

_TEXT = {
    "hold": "Text in the pictures was looked for. Pictures with text other than markers (L, R, "
    "PA, …) were not written; receipts.jsonl lists them with the code text_in_picture.",
    "blank": "Text in the pictures was looked for, and painted black where it was found, other "
    "than markers (L, R, PA, …).",
    "skip": "Text in the pictures was NOT looked for (--text skip): names that a device burned "
    "into the pixels are still there. Look at the pictures before you send them.",
}


def readme(options: PrepareOptions) -> str:
    """Return the README of a folder that these options made."""
    side = options.image_size
    return f"""Made by `exchange prepare`.

manifest.csv and the folders beside it may leave the hospital:
grey pictures of {side} x {side} pixels without metadata; patients as keyed hashes.

receipts.jsonl STAYS HERE. It holds the names of the original files, which may name patients: what
became of each, and what was found and removed. `exchange upload` never sends it. Do not put it into
an archive that leaves the hospital.

{_TEXT[options.text]}

To send the pictures: exchange upload FOLDER (this folder; what may leave is sent as it is).
"""
