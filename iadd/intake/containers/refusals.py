"""Words the refusals of archives, and of files in them, that several readers share."""

from __future__ import annotations

from iadd.intake.errors import DatasetError, FileError

PACK_AGAIN = "Pack the class folders as .zip, .tar or .tar.gz and upload again."


def empty_archive() -> DatasetError:
    """Refuse a file of no bytes."""
    return DatasetError(
        "empty_archive", "The file is empty", f"The file holds no bytes. {PACK_AGAIN}"
    )


def not_an_archive(what: str) -> DatasetError:
    """Refuse a file that is something else; `what` is a sentence that says what it is."""
    title = "The file is not an archive that can be read"
    return DatasetError("not_an_archive", title, f"{what} {PACK_AGAIN}")


def damaged_archive() -> DatasetError:
    """Refuse an archive that contradicts itself or ends early."""
    return DatasetError(
        "damaged_archive",
        "The archive is damaged or cut short",
        "The archive cannot be read to its end. Test it where it was made, pack it again if that "
        "fails, and upload it again.",
    )


def unreadable_folder(name: str) -> DatasetError:
    """Refuse a folder whose list of files cannot be read; `name` is relative and printable."""
    return DatasetError(
        "unreadable_folder",
        "A folder cannot be opened",
        f"The folder “{name}” cannot be opened. Allow this user to read it, or move it away.",
    )


def unknown_encoding() -> DatasetError:
    """Refuse an encoding of names that does not exist or is no encoding of text."""
    return DatasetError(
        "unknown_encoding",
        "The encoding of the names is not known",
        "No encoding of that name is known here. Choose one of those offered, such as cp932, gbk, "
        "big5, cp1252 or cp850.",
    )


def memory_to_unpack() -> DatasetError:
    """Refuse a compressed stream whose dictionary would take too much memory."""
    return _too_large(
        "Unpacking the archive needs more than 128 MiB of memory.",
        "Pack it with the ordinary settings (up to xz -9 or zstd -19, without --ultra or --long).",
    )


def too_many_entries(most: int) -> DatasetError:
    """Refuse an archive of more than `most` entries."""
    return _too_large(f"The archive holds more than {most:,} entries.")


def too_many_bytes(most: int) -> DatasetError:
    """Refuse an archive that unpacks to more than `most` bytes."""
    return _too_large(f"The archive unpacks to more than {most:,} bytes.")


def too_much_inflated(ratio: float) -> DatasetError:
    """Refuse an archive that unpacks to more than `ratio` times its size."""
    return _too_large(
        f"The archive unpacks to more than {ratio:g} times its own size, which radiographs never "
        "do."
    )


def _too_large(
    what: str, advice: str = "Split the dataset, or ask the operator to raise the limit."
) -> DatasetError:
    title = "The archive is beyond the limits of the intake"
    return DatasetError("archive_too_large", title, f"{what} {advice}")


def not_a_file() -> FileError:
    """Refuse an entry that is a link or a device."""
    return FileError("not_a_file", "It is a link or a device; links are not followed.")


def damaged_file() -> FileError:
    """Refuse a file whose bytes in the archive contradict their header."""
    return FileError(
        "damaged", "Its bytes in the archive are damaged; pack it again from the original."
    )
