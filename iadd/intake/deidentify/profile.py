"""Says of each DICOM element whether it stays when a file is scrubbed.

The basic profile of PS3.15 Annex E lists what goes; vendors write into what it does not list. So
an element stays only if it is needed to show the picture, is not in the profile's table, and holds
what the standard lets it hold: a number, or a word from a list. No free text stays at all.
"""

from __future__ import annotations

from functools import lru_cache

from pydicom.tag import BaseTag, Tag

INTEGERS = (
    "SamplesPerPixel", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "SmallestImagePixelValue",
    "LargestImagePixelValue", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "PixelIntensityRelationshipSign", "PixelAspectRatio", "InstanceNumber", "SeriesNumber",
    "ExposureTime", "XRayTubeCurrent", "Exposure",
)  # fmt: skip
DECIMALS = (
    "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "PixelSpacing",
    "ImagerPixelSpacing", "NominalScannedPixelSpacing", "LossyImageCompressionRatio", "KVP",
    "DistanceSourceToDetector", "DistanceSourceToPatient",
    "EstimatedRadiographicMagnificationFactor",
)  # fmt: skip
MOST = 1_000_000
"""Largest number that stays; a greater one may be a record's number."""

_WORDS = {
    "ImageType": "ORIGINAL|DERIVED|PRIMARY|SECONDARY",
    "Modality": "CR|DX|DR|RG|OT|SC|RF|PX|MG",
    "ConversionType": "DV|DI|DF|WSD|SD|SI|DRW|SYN",
    "PresentationIntentType": "FOR PRESENTATION|FOR PROCESSING",
    "ViewPosition": "AP|PA|LL|RL|RLD|LLD|RLO|LLO|LATERAL",
    "BodyPartExamined": "CHEST|THORAX|LUNG|RIB|STERNUM",
    "Laterality": "L|R|U|B",
    "ImageLaterality": "L|R|U|B",
    "PatientOrientation": "A|P|R|L|H|F|AR|AL|PR|PL|HL|HR|FL|FR|LF|RF|LH|RH",
    "BurnedInAnnotation": "YES|NO",
    "PhotometricInterpretation": "MONOCHROME1|MONOCHROME2|PALETTE COLOR|RGB|YBR_FULL"
    "|YBR_FULL_422|YBR_ICT|YBR_RCT",
    "PixelIntensityRelationship": "LIN|LOG|DISP",
    "PresentationLUTShape": "IDENTITY|INVERSE",
    "RescaleType": "OD|HU|US",
    "ModalityLUTType": "OD|HU|US",
    "VOILUTFunction": "LINEAR|LINEAR_EXACT|SIGMOID",
    "LossyImageCompression": "00|01",
    "LossyImageCompressionMethod": "ISO_10918_1|ISO_14495_1|ISO_15444_1|ISO_15444_15",
}
WORDS = {keyword: frozenset(words.split("|")) for keyword, words in _WORDS.items()}
"""Words that stay, by element; of several values each is judged by itself."""
TABLES = ("ModalityLUTSequence", "VOILUTSequence")
"""Sequences of lookup tables, of which numbers and `ModalityLUTType` stay."""
IDENTIFIERS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
"""Replaced by keyed ones, alike in all files."""
EMPTIED = (
    "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientBirthDate",
    "PatientSex", "StudyID",
)  # fmt: skip
"""Elements that an X-ray must have (type 2), and may have empty."""
PSEUDONYMS = ("PatientName", "PatientID")
"""Replaced by the patient's keyed hash."""


def may_stay(keyword: str) -> bool:
    """Return whether an element is needed to show the picture, and the profile lets it stay."""
    known = keyword in WORDS or keyword in INTEGERS or keyword in DECIMALS or keyword in TABLES
    return known and not is_in_profile(Tag(keyword))


def is_in_profile(tag: BaseTag) -> bool:
    """Return whether the table of PS3.15 Annex E names an element, other than to keep it."""
    single, ranges = _profile_table()
    return (tag.group, tag.element) in single or any(
        tag.group & group_mask == group & group_mask
        and tag.element & element_mask == element & element_mask
        for group, element, group_mask, element_mask in ranges
    )


@lru_cache(maxsize=1)
def _profile_table() -> tuple[frozenset[tuple[int, int]], tuple[tuple[int, int, int, int], ...]]:
    # No types, and no need of more than its tables.
    from dicomanonymizer.dicom_anonymization_databases import (  # type: ignore[import-untyped]
        dicomfields_2026c,
    )

    tags = dicomfields_2026c.ALL_TAGS
    return (
        frozenset((tag[0], tag[1]) for tag in tags if len(tag) == 2),
        tuple((tag[0], tag[1], tag[2], tag[3]) for tag in tags if len(tag) == 4),
    )
