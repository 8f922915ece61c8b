"""Scrubs DICOM files: what is left shows the picture, and names nobody.

After PS3.15 Annex E, basic profile, and stricter: `iadd.intake.deidentify.profile` lists what may
stay, down to the words, and a new dataset is made of that alone. Whatever else the file held is
not in it: sequences at any depth, private elements, curves and overlays, unknown elements.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterable

import numpy as np
from pydicom import Dataset, Sequence, dcmread, dcmwrite, uid
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import format_number_as_ds

from iadd.intake.deidentify import profile
from iadd.intake.deidentify.hashes import hash_patient, keyed_hash
from iadd.intake.deidentify.pixels import clean_pixels
from iadd.intake.deidentify.receipt import Receipt
from iadd.intake.deidentify.silence import values_unlogged
from iadd.intake.errors import FileError

BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")

_DIRECTORY = "1.2.840.10008.1.3.10"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_OWN_META = (
    "FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID",
    "TransferSyntaxUID",
)  # fmt: skip
_LARGEST_TABLE = 1 << 16


def scrub_file(data: bytes, key: bytes, *, file: str = "") -> tuple[bytes, Receipt]:
    """Scrub a DICOM file: the bytes of the new one, and the receipt.

    Args:
        data: of the file, with or without preamble.
        key: secret of the organisation.
        file: the masked path, for the receipt.

    Raises:
        FileError: as of `scrub`.
    """
    try:
        with values_unlogged():
            dataset = dcmread(io.BytesIO(data), force=data[128:132] != b"DICM")
    except Exception:  # noqa: BLE001  with values in its messages
        raise FileError("damaged", "Its DICOM header is damaged; export it again.") from None
    receipt = scrub(dataset, key, file=file)
    return to_bytes(dataset), receipt


def scrub(dataset: Dataset, key: bytes, *, pixels_cleaned: bool = False, file: str = "") -> Receipt:
    """Take out of a parsed DICOM file whatever may point to a person. `to_bytes` writes it then.

    Args:
        dataset: changed in place, with its file meta and preamble.
        key: secret of the organisation: equal patients and UIDs stay equal across its files.
        pixels_cleaned: whether text was blanked in the pixels, to be stated in the file.
        file: the masked path, for the receipt.

    Returns:
        What was found and taken out, by name.

    Raises:
        FileError: ``dicomdir``, ``dicom_no_pixels``, ``dicom_syntax``, ``pixel_stream``,
            ``truncated`` or ``damaged``. The dataset is not to be written then.
    """
    meta = getattr(dataset, "file_meta", None) or FileMetaDataset()
    if meta.get("MediaStorageSOPClassUID") == _DIRECTORY or "DirectoryRecordSequence" in dataset:
        raise FileError("dicomdir", "It is the directory of a DICOM disc; it is left out.")
    if not dataset.get("PixelData"):
        raise FileError(
            "dicom_no_pixels", "It is DICOM without a picture; export it with its pixels."
        )
    try:
        with values_unlogged():
            return _scrub(dataset, meta, key, pixels_cleaned, file)
    except FileError:
        raise
    except Exception:  # noqa: BLE001
        # Pydicom raises what it comes upon, with values in its messages.
        raise FileError("damaged", "Its DICOM header is damaged; export it again.") from None


def to_bytes(dataset: Dataset) -> bytes:
    """Return a scrubbed dataset as a DICOM file."""
    file = io.BytesIO()
    dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def keyed_uid(original: str, key: bytes) -> str:
    """Return a UID in place of another: the same for equal UIDs and keys, as PS3.5 B.2 forms it."""
    return "2.25." + str(int(keyed_hash("uid", original.strip(" \0"), key, 32), 16))


def _scrub(dataset: Dataset, meta: Dataset, key: bytes, pixels_cleaned: bool, file: str) -> Receipt:
    stated = uid.UID(str(meta.get("TransferSyntaxUID") or "")) or _encoding_of(dataset)
    found = _Found(dataset, meta)
    pixels, syntax, more_than_pixels = clean_pixels(dataset, stated)
    clean = Dataset()
    for element_name in (*profile.INTEGERS, *profile.DECIMALS, *profile.WORDS):
        if profile.may_stay(element_name):
            _copy(dataset, clean, element_name)
    for table in profile.TABLES:
        if profile.may_stay(table):
            _copy_tables(dataset, clean, table, big_endian=syntax == uid.ExplicitVRBigEndian)
    _identify(dataset, clean, key, pixels)
    _state_method(clean, pixels_cleaned)
    compressed = syntax.is_compressed and syntax != uid.DeflatedExplicitVRLittleEndian
    # Big endian, the order of bytes depends on the representation: it stays as it was.
    stated_vr = str(dataset["PixelData"].VR)
    wide = stated_vr == "OW" or int(dataset.BitsAllocated) > 8
    pixel_data = DataElement("PixelData", "OW" if wide and not compressed else "OB", pixels)
    pixel_data.is_undefined_length = compressed
    clean.add(pixel_data)
    preamble = getattr(dataset, "preamble", None)
    kinds = [
        *found.kinds,
        *(["preamble"] if preamble and any(preamble) else []),
        *(["pixel_stream"] if more_than_pixels else []),
    ]
    removed = [name for name in found.names if name not in clean and name not in _OWN_META]
    replaced = [
        name
        for name in (*profile.PSEUDONYMS, *profile.EMPTIED, *profile.IDENTIFIERS)
        if name in found.names
    ]
    _put(dataset, clean, syntax)
    return Receipt(
        tuple(dict.fromkeys(kinds)),
        tuple(removed),
        tuple(replaced),
        (BASIC_PROFILE[0], *([CLEAN_PIXELS[0]] if pixels_cleaned else [])),
        file=file,
    )


class _Found:
    """Names of all that a file holds, at any depth, and the kinds of place they were in."""

    def __init__(self, dataset: Dataset, meta: Dataset) -> None:
        self._names: dict[str, None] = {}
        self._kinds: dict[str, None] = {}
        self._collect(dataset, 0)
        for tag in tuple(meta.keys()):
            name = _name(tag)
            if name not in _OWN_META:
                self._kinds["file_meta"] = None
                self._names[name] = None
        self.names = tuple(self._names)
        self.kinds = tuple(self._kinds)

    def _collect(self, dataset: Dataset, depth: int) -> None:
        for tag in tuple(dataset.keys()):
            name = _name(tag)
            self._names[name] = None
            if kind := _kind(tag, name, depth):
                self._kinds[kind] = None
            element = dataset[tag] if _may_nest(dataset, tag) else None
            if element is not None and element.VR == "SQ":
                for item in element.value or ():
                    self._collect(item, depth + 1)


def _may_nest(dataset: Dataset, tag: BaseTag) -> bool:
    try:
        return dataset[tag].VR == "SQ"
    except Exception:  # noqa: BLE001  a value that pydicom cannot parse goes with its element
        return False


def _kind(tag: BaseTag, name: str, depth: int) -> str | None:
    if tag.is_private:
        return "private"
    if tag.group & 0xFF00 == 0x6000:
        return "overlay"
    if tag.group & 0xFF00 == 0x5000:
        return "curve"
    if profile.may_stay(name) or name == "PixelData":
        return None
    return "sequence" if depth else "header"


def _name(tag: BaseTag) -> str:
    return keyword_for_tag(tag) or f"({tag.group:04x},{tag.element:04x})"


def _encoding_of(dataset: Dataset) -> uid.UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRBigEndian if little is False else uid.ExplicitVRLittleEndian


def _values(dataset: Dataset, name: str) -> list[object]:
    try:
        value = dataset[name].value
    except Exception:  # noqa: BLE001  missing, or nothing that pydicom can parse
        return []
    if value is None or isinstance(value, bytes):
        return []
    several = isinstance(value, Iterable) and not isinstance(value, str)
    return list(value) if several else [value]


def _copy(dataset: Dataset, clean: Dataset, name: str) -> None:
    """Copy the values of an element that are what the profile expects; none that is not."""
    values = _values(dataset, name)
    kept: list[object] = []
    if name in profile.WORDS:
        words = [str(value).strip(" \0").upper() for value in values]
        kept = [word for word in words if word in profile.WORDS[name]]
    elif name in profile.INTEGERS:
        kept = [number for value in values if (number := _integer(value)) is not None]
    else:
        kept = [decimal for value in values if (decimal := _decimal(value)) is not None]
        if len(kept) != len(values):
            return
    if kept:
        vr = dictionary_VR(name)
        if vr == "US or SS":
            vr = "SS" if any(isinstance(n, int) and n < 0 for n in kept) else "US"
        clean.add(DataElement(Tag(name), vr, kept if len(kept) > 1 else kept[0]))


def _integer(value: object) -> int | None:
    try:
        number = int(str(value).strip(" \0"))
    except ValueError:
        return None
    return number if abs(number) <= profile.MOST else None


def _decimal(value: object) -> str | None:
    try:
        number = float(str(value).strip(" \0"))
    except ValueError:
        return None
    # Written anew: pydicom keeps the digits as they were typed.
    usable = math.isfinite(number) and abs(number) <= profile.MOST
    return format_number_as_ds(number) if usable else None


def _copy_tables(dataset: Dataset, clean: Dataset, name: str, *, big_endian: bool) -> None:
    items = []
    for item in _values(dataset, name):
        assert isinstance(item, Dataset)
        descriptor = [_integer(value) for value in _values(item, "LUTDescriptor")]
        if len(descriptor) != 3 or None in descriptor:
            continue
        entries, first, bits = (number or 0 for number in descriptor)
        data = item["LUTData"].value
        order = ">u2" if big_endian else "<u2"
        if isinstance(data, bytes):
            values = np.frombuffer(data[: len(data) // 2 * 2], order)
        else:
            values = np.asarray(data).astype(order)
        copy = Dataset()
        signed = "SS" if first < 0 else "US"
        copy.add(DataElement("LUTDescriptor", signed, [_as(signed, entries), first, bits]))
        copy.add(DataElement("LUTData", "OW", values[: entries or _LARGEST_TABLE].tobytes()))
        _copy(item, copy, "ModalityLUTType")
        items.append(copy)
    if items:
        clean.add(DataElement(Tag(name), "SQ", Sequence(items)))


def _as(vr: str, number: int) -> int:
    return number - (1 << 16) if vr == "SS" and number >= 1 << 15 else number


def _identify(dataset: Dataset, clean: Dataset, key: bytes, pixels: bytes) -> None:
    sop_class = str(dataset.get("SOPClassUID") or "").strip(" \0")
    is_known = uid.UID(sop_class).type == "SOP Class"
    clean.SOPClassUID = sop_class if is_known else _SECONDARY_CAPTURE
    digest = hashlib.sha256(pixels).hexdigest()
    for name in profile.IDENTIFIERS:
        original = str((_values(dataset, name) or [""])[0])
        if original or name != "FrameOfReferenceUID":
            setattr(clean, name, keyed_uid(original or f"{name} {digest}", key))
    patient = str((_values(dataset, "PatientID") or _values(dataset, "PatientName") or [""])[0])
    for name in profile.PSEUDONYMS:
        setattr(clean, name, hash_patient(patient, key) if patient.strip(" \0") else "")
    for name in profile.EMPTIED:
        setattr(clean, name, "")


def _state_method(clean: Dataset, pixels_cleaned: bool) -> None:
    methods = [BASIC_PROFILE, *([CLEAN_PIXELS] if pixels_cleaned else [])]
    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = "PS3.15 Annex E, basic profile; only what shows the picture kept"
    clean.DeidentificationMethodCodeSequence = Sequence()
    for code, meaning in methods:
        item = Dataset()
        item.CodeValue = code
        item.CodingSchemeDesignator = "DCM"
        item.CodeMeaning = meaning
        clean.DeidentificationMethodCodeSequence.append(item)
    clean.LongitudinalTemporalInformationModified = "REMOVED"
    if pixels_cleaned:
        clean.BurnedInAnnotation = "NO"


def _put(dataset: Dataset, clean: Dataset, syntax: uid.UID) -> None:
    """Put what is clean in the place of all that the dataset held."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = clean.SOPClassUID
    meta.MediaStorageSOPInstanceUID = clean.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    dataset.clear()
    dataset.update(clean)
    dataset.file_meta = meta
    dataset.preamble = bytes(128)
