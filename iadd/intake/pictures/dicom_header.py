"""Reads of a DICOM header what the pictures need, and refuses files that are no single X-ray."""

from __future__ import annotations

import io

from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from iadd.intake.deidentify.hashes import hash_patient, keyed_hash
from iadd.intake.errors import FileError
from iadd.intake.pictures.picture import DicomFacts
from iadd.intake.pictures.sniff import starts_with_element

_XRAY = ("CR", "DX", "DR", "RG")
_SECONDARY = ("OT", "SC")
_FILLING = " \t\r\n\0"
_SECONDARY_CLASS = "1.2.840.10008.5.1.4.1.1.7"
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
# Only words of the standard are repeated in a message or kept.
_MODALITIES = frozenset((
    "AR", "ASMT", "AU", "BI", "BMD", "CT", "DOC", "DG", "ECG", "EEG", "EPS", "ES", "FID",
    "GM", "HC", "HD", "IO", "IVOCT", "IVUS", "KER", "KO", "LEN", "LS", "MG", "MR", "NM",
    "OAM", "OCT", "OP", "OPM", "OPT", "OPV", "OSS", "PLAN", "PR", "PT", "PX", "REG", "RF",
    "RTDOSE", "RTIMAGE", "RTPLAN", "RTRECORD", "RTSTRUCT", "RESP", "SEG", "SM", "SMR", "SR",
    "SRF", "STAIN", "TG", "US", "VA", "XA", "XC",
))  # fmt: skip
_VIEWS = frozenset((
    "AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO", "RAO", "LAO", "RPO", "LPO", "LATERAL",
    "LAT", "L", "R", "OBLIQUE", "AXIAL",
))  # fmt: skip
_CLASS_MODALITIES = {
    "1.2.840.10008.5.1.4.1.1.1": "CR",
    "1.2.840.10008.5.1.4.1.1.1.1": "DX",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "DX",
}
_KEPT = (
    "SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "ConversionType", "PatientID",
    "ViewPosition", "BurnedInAnnotation", "DirectoryRecordSequence", "NumberOfFrames",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept",
    "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction", "PresentationLUTShape",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", 0x60000102, 0x60003000,
)  # fmt: skip


def read_header(data: bytes) -> Dataset:
    """Parse the elements that are needed; all others are skipped, and so dropped."""
    # Forced only where the first bytes look like DICOM: forced, pydicom reads anything.
    force = data[128:132] != b"DICM" and starts_with_element(data)
    header: Dataset = dcmread(
        io.BytesIO(data), force=force, specific_tags=[Tag(name) for name in _KEPT]
    )
    return header


def check_header(header: Dataset) -> None:
    """Refuse what is no single grey X-ray picture.

    Raises:
        FileError: ``dicomdir``, ``dicom_modality``, ``dicom_localizer``, ``dicom_no_pixels``,
            ``dicom_frames``, ``dicom_colour`` or ``unsupported_pixels``.
    """
    if _is_directory(header):
        raise FileError("dicomdir", "It is the directory of a DICOM disc; it needs no action.")
    modality = modality_of(header)
    if not modality and "PixelData" not in header:
        raise _no_pixels()
    if modality not in _XRAY + _SECONDARY:
        named = f"modality {modality}" if modality in _MODALITIES else "another or no modality"
        raise FileError(
            "dicom_modality",
            f"It is DICOM of {named}; send X-ray pictures (CR, DX, DR or RG) alone.",
        )
    if "LOCALIZER" in _words(header.get("ImageType")):
        raise FileError("dicom_localizer", "It is a DICOM localizer, no diagnostic picture.")
    if "FloatPixelData" in header or "DoubleFloatPixelData" in header:
        raise FileError(
            "unsupported_pixels", "Its DICOM pixels are fractions; export it with whole numbers."
        )
    if not header.get("PixelData"):
        raise _no_pixels()
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise FileError(
            "dicom_frames", "It is DICOM of several frames; export each X-ray as a file of its own."
        )
    photometric = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    if int(header.get("SamplesPerPixel") or 1) != 1 or not photometric.startswith("MONOCHROME"):
        raise FileError(
            "dicom_colour", "It is DICOM in colour, perhaps a screenshot; export the grey original."
        )
    if int(header.BitsAllocated) not in (8, 16):
        raise FileError(
            "unsupported_pixels", "Its DICOM pixels have other than 8 or 16 bits; export it again."
        )


def _no_pixels() -> FileError:
    return FileError("dicom_no_pixels", "It is DICOM without a picture; export it with its pixels.")


def modality_of(header: Dataset) -> str:
    """Return the modality; where it is missing, that of the file's class."""
    modality = str(header.get("Modality") or "").strip().upper()
    return modality or _CLASS_MODALITIES.get(str(header.get("SOPClassUID") or ""), "")


def is_secondary_capture(header: Dataset) -> bool:
    """Whether the picture was captured from a screen or film, or is of no stated modality."""
    sop_class = str(header.get("SOPClassUID") or "")
    return modality_of(header) in _SECONDARY or sop_class.startswith(_SECONDARY_CLASS)


def facts_of(header: Dataset, key: bytes) -> DicomFacts:
    """Return what is kept of a header."""
    view = str(header.get("ViewPosition") or "").strip().upper()
    burned_in = str(header.get("BurnedInAnnotation") or "").strip().upper()
    patient = str(header.get("PatientID") or "").strip(_FILLING)
    instance = str(header.get("SOPInstanceUID") or "").strip(_FILLING)
    return DicomFacts(
        patient=hash_patient(patient, key) if patient else None,
        view=view if view in _VIEWS else None,
        modality=modality_of(header),
        burned_in={"YES": True, "NO": False}.get(burned_in),
        instance=keyed_hash("instance", instance, key, 16) if instance else "",
    )


def transfer_syntax_of(header: Dataset) -> uid.UID:
    """Return the transfer syntax; where the file states none, that of its parsed encoding."""
    stated = header.file_meta.get("TransferSyntaxUID") if hasattr(header, "file_meta") else None
    if stated:
        return uid.UID(stated)
    implicit, little = header.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _is_directory(header: Dataset) -> bool:
    meta = getattr(header, "file_meta", None) or Dataset()
    return (
        "DirectoryRecordSequence" in header
        or meta.get("MediaStorageSOPClassUID") == _DIRECTORY_CLASS
    )


def _words(value: object) -> list[str]:
    if value is None:
        return []
    values = [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]
    return [str(word).strip().upper() for word in values]
