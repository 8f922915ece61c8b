import io
import json
import logging
import warnings

import imagecodecs
import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread, dcmwrite, uid
from pydicom.data import get_testdata_file
from pydicom.datadict import DicomDictionary, RepeatersDictionary, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag

from iadd.intake.deidentify import profile
from iadd.intake.deidentify.hashes import hash_patient
from iadd.intake.deidentify.receipt import to_json_lines
from iadd.intake.deidentify.scrub import keyed_uid, scrub, scrub_file, to_bytes
from iadd.intake.errors import FileError

KEY = b"k" * 32
NAME = "MUELLER"
NUMBER = "47110815"
DATE = "19540312"
UID = "1.2.276.4711.815.1"
PLANTED = (NAME, NUMBER, DATE, UID)

BY_VR = {
    "AE": NAME,
    "AS": "072Y",
    "CS": NAME,
    "DA": DATE,
    "DS": NUMBER,
    "DT": DATE + "101500",
    "IS": NUMBER,
    "LO": NAME,
    "LT": NAME,
    "OB": NAME.encode() + b" ",
    "OW": NAME.encode() + b" ",
    "PN": f"{NAME}^HANS",
    "SH": NAME,
    "ST": NAME,
    "UC": NAME,
    "UI": UID,
    "UN": NAME.encode() + b" ",
    "UR": f"http://{NAME}.example",
    "UT": NAME,
}


def grey(bits: int = 12, signed: bool = False) -> np.ndarray:
    levels = np.random.default_rng(0).integers(0, 1 << bits, (16, 24))
    return (levels - (1 << bits - 1)).astype("<i2") if signed else levels.astype("<u2")


def x_ray(pixels: np.ndarray | None = None, syntax: str = uid.ExplicitVRLittleEndian) -> Dataset:
    pixels = grey() if pixels is None else pixels
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = UID
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    dataset.SOPInstanceUID = dataset.StudyInstanceUID = dataset.SeriesInstanceUID = UID
    dataset.Modality = "DX"
    dataset.PatientID = NUMBER
    dataset.PatientName = f"{NAME}^HANS"
    dataset.PatientBirthDate = DATE
    dataset.ViewPosition = "PA"
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.SamplesPerPixel = 1
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored = 12 if pixels.itemsize == 2 else 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if pixels.itemsize == 2 else "OB"
    return dataset


def as_file(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(file, dataset, enforce_file_format=False)
    return file.getvalue()


def scrubbed(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(scrub_file(data, KEY)[0]))


def assert_nothing_is_left(data: bytes) -> None:
    for word in PLANTED:
        assert word.lower().encode() not in data.lower(), word
        assert word.encode("utf-16-le").lower() not in data.lower(), word


def plant(dataset: Dataset) -> None:
    """Fill in every element of the dictionary that holds text or bytes."""
    for tag, (vr, *_) in DicomDictionary.items():
        vr = vr.split(" or ")[0]
        group = tag >> 16
        if keyword_for_tag(tag) == "NumberOfFrames":
            continue  # there is one, and it says how long the pixels are
        if vr in BY_VR and group > 0x0007 and tag not in dataset and tag < 0x7FE00000:
            dataset.add(DataElement(Tag(tag), vr, BY_VR[vr]))
    for name in RepeatersDictionary:
        if name[:4] in ("50xx", "60xx") and name.endswith(("0022", "3000", "4000", "1500")):
            vr = RepeatersDictionary[name][0].split(" or ")[-1]
            dataset.add(DataElement(Tag(int(name.replace("xx", "02"), 16)), vr, BY_VR[vr]))


@pytest.fixture(scope="module")
def planted_file() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = x_ray()
        plant(dataset)
        nested = dataset
        for keyword in (
            "RequestAttributesSequence",
            "ScheduledProtocolCodeSequence",
            "ModalityLUTSequence",
            "AnatomicRegionSequence",
            "ReferencedPatientSequence",
        ):
            inner = Dataset()
            inner.PatientName = NAME
            inner.CodeMeaning = NAME
            inner.add(DataElement(Tag(0x00091001), "LO", NAME))
            setattr(nested, keyword, Sequence([inner]))
            nested = inner
        block = dataset.private_block(0x0029, f"{NAME} HEADER", create=True)
        block.add_new(1, "OB", NAME.encode() * 2)
        block.add_new(2, "SQ", Sequence([nested]))
        dataset.add(DataElement(Tag(0x00291234), "UN", NAME.encode() + b" "))
        dataset.ContentDate = DATE
        meta = dataset.file_meta
        meta.SourceApplicationEntityTitle = NAME
        meta.ImplementationVersionName = NAME
        meta.PrivateInformationCreatorUID = UID
        meta.PrivateInformation = NAME.encode() + b" "
        dataset.PixelData += NAME.encode() + b" "
        dataset.DataSetTrailingPadding = NAME.encode() + b" "
        dataset.preamble = (NAME.encode() * 20)[:128]
        return as_file(dataset)


def test_of_words_planted_everywhere_none_is_left(planted_file: bytes) -> None:
    assert planted_file.count(NAME.encode()) > 1_500
    data, receipt = scrub_file(planted_file, KEY, file="~1a2b3c.dcm")
    assert_nothing_is_left(data)
    line = to_json_lines([receipt])
    assert_nothing_is_left(line.encode())
    assert json.loads(line)["file"] == "~1a2b3c.dcm"
    kinds = {"header", "private", "sequence", "overlay", "curve", "file_meta", "preamble"}
    assert set(receipt.kinds) == kinds | {"pixel_stream"}
    assert {"InstitutionName", "PrivateInformation", "CodeMeaning", "(0029,1234)"} <= {
        *receipt.removed
    }
    assert {"PatientName", "SOPInstanceUID", "PatientBirthDate"} <= {*receipt.replaced}
    assert not {*receipt.removed} & {*receipt.replaced}


def test_the_picture_and_how_to_show_it_stay(planted_file: bytes) -> None:
    clean = scrubbed(planted_file)
    assert np.array_equal(clean.pixel_array, grey())
    assert (clean.Modality, clean.ViewPosition) == ("DX", "PA")
    assert (clean.WindowCenter, clean.WindowWidth) == (2048, 4096)
    assert clean.SOPClassUID == "1.2.840.10008.5.1.4.1.1.1.1"


def test_the_file_states_the_method(planted_file: bytes) -> None:
    clean = scrubbed(planted_file)
    assert clean.PatientIdentityRemoved == "YES"
    assert clean.DeidentificationMethod
    assert [item.CodeValue for item in clean.DeidentificationMethodCodeSequence] == ["113100"]
    dataset = x_ray()
    receipt = scrub(dataset, KEY, pixels_cleaned=True)
    codes = [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101"] == list(receipt.codes)
    assert dataset.BurnedInAnnotation == "NO"


def test_identifiers_are_alike_in_all_files_of_a_key_and_of_no_other() -> None:
    first, again = scrubbed(as_file(x_ray())), scrubbed(as_file(x_ray()))
    assert first.StudyInstanceUID == again.StudyInstanceUID == keyed_uid(UID, KEY)
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert first.PatientID == hash_patient(NUMBER, KEY)
    other = dcmread(io.BytesIO(scrub_file(as_file(x_ray()), b"other")[0]))
    assert other.PatientID != first.PatientID
    assert other.StudyInstanceUID != first.StudyInstanceUID
    assert uid.UID(first.StudyInstanceUID).is_valid


def test_a_file_without_names_of_its_own_gets_uids_all_the_same() -> None:
    dataset = x_ray()
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "PatientID", "PatientName"):
        delattr(dataset, keyword)
    dataset.SOPClassUID = UID
    clean = scrubbed(as_file(dataset))
    assert clean.SOPInstanceUID.startswith("2.25.")
    assert clean.SOPInstanceUID != clean.StudyInstanceUID
    assert clean.PatientID == ""
    assert clean.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7"


@pytest.mark.parametrize("keyword", ["Rows", "ViewPosition", "WindowCenter", "KVP", "ImageType"])
def test_a_word_in_a_field_that_stays_goes(keyword: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = x_ray()
        dataset.InstanceNumber = NUMBER
        dataset.RescaleIntercept = NUMBER
        dataset.add(DataElement(Tag(keyword), "LO" if keyword != "ImageType" else "CS", NAME))
        data = as_file(dataset)
    assert NAME.encode() in data
    if keyword == "Rows":
        with pytest.raises(FileError) as error:
            scrub_file(data, KEY)
        assert NAME not in error.value.reason
    else:
        assert_nothing_is_left(scrub_file(data, KEY)[0])


def test_lookup_tables_stay_and_what_is_written_behind_them_goes() -> None:
    dataset = x_ray()
    table = Dataset()
    table.add(DataElement("LUTDescriptor", "US", [4096, 0, 16]))
    table.LUTExplanation = NAME
    values = (np.arange(4096) * 15).astype("<u2")
    table.add(DataElement("LUTData", "OW", values.tobytes() + NAME.encode() + b" "))
    dataset.VOILUTSequence = Sequence([table])
    clean = scrubbed(as_file(dataset))
    assert list(clean.VOILUTSequence[0].LUTDescriptor) == [4096, 0, 16]
    assert clean.VOILUTSequence[0].LUTData == values.tobytes()
    assert_nothing_is_left(as_file(clean))


@pytest.mark.parametrize("signed", [False, True])
def test_an_overlay_in_the_bits_above_the_pixels_goes(signed: bool) -> None:
    pixels = grey(signed=signed)
    hidden = (pixels.view("<u2") & 0x0FFF) | 0x3000
    dataset = x_ray(pixels)
    dataset.PixelData = hidden.tobytes()
    assert np.array_equal(scrubbed(as_file(dataset)).pixel_array, pixels)


def compressed(syntax: str) -> tuple[Dataset, bytes]:
    """Return an X-ray and its one compressed frame, with a name in a comment or a segment."""
    pixels = (grey() >> 4).astype(np.uint8)
    comment = b"\xff\xfe\x00\x0b" + NAME.encode() + b"! "
    exif = b"\xff\xe1\x00\x0f" + b"Exif\0\0" + NAME.encode()
    if syntax == uid.JPEGBaseline8Bit:
        frame = imagecodecs.jpeg8_encode(pixels, level=90)
        frame = frame[:2] + comment + exif + frame[2:] + NAME.encode() + b" "
    elif syntax == uid.JPEGLosslessSV1:
        frame = imagecodecs.ljpeg_encode(pixels)
        frame = frame[:2] + comment + frame[2:]
    elif syntax == uid.JPEGLSLossless:
        frame = imagecodecs.jpegls_encode(pixels)
        frame = frame[:2] + comment + frame[2:]
    else:
        frame = imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k")
        # Between the size segment and the next.
        place = 4 + int.from_bytes(frame[4:6], "big")
        frame = frame[:place] + b"\xff\x64\x00\x0d\x00\x01" + NAME.encode() + b"! " + frame[place:]
        frame += NAME.encode() + b" "
    dataset = x_ray(pixels, syntax)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    return dataset, frame


@pytest.mark.parametrize(
    "syntax",
    [uid.JPEGBaseline8Bit, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless],
)
def test_comments_in_compressed_pictures_go_and_the_pictures_stay(syntax: str) -> None:
    dataset, frame = compressed(syntax)
    data, receipt = scrub_file(as_file(dataset), KEY)
    assert_nothing_is_left(data)
    assert "pixel_stream" in receipt.kinds
    clean = dcmread(io.BytesIO(data))
    assert clean.file_meta.TransferSyntaxUID == syntax
    from pydicom.encaps import generate_frames

    [kept] = generate_frames(clean.PixelData, number_of_frames=1)
    decode = imagecodecs.jpeg2k_decode if syntax == uid.JPEG2000Lossless else None
    if syntax == uid.JPEGBaseline8Bit:
        decode = imagecodecs.jpeg8_decode
    elif syntax == uid.JPEGLosslessSV1:
        decode = imagecodecs.ljpeg_decode
    elif syntax == uid.JPEGLSLossless:
        decode = imagecodecs.jpegls_decode
    assert np.array_equal(decode(kept), decode(frame))


def test_run_lengths_are_written_uncompressed() -> None:
    dataset = x_ray()
    dataset.compress(uid.RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    clean = scrubbed(as_file(dataset))
    assert clean.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert np.array_equal(clean.pixel_array, grey())
    assert clean.SOPInstanceUID == keyed_uid(UID, KEY)


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian, uid.ExplicitVRBigEndian],
)
def test_every_native_syntax_is_scrubbed(syntax: str) -> None:
    pixels = grey().astype(">u2") if syntax == uid.ExplicitVRBigEndian else grey()
    clean = scrubbed(as_file(x_ray(pixels, syntax)))
    assert clean.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(clean.pixel_array, grey())


def test_a_file_without_preamble_and_meta_is_scrubbed() -> None:
    dataset = x_ray(syntax=uid.ImplicitVRLittleEndian)
    del dataset.file_meta
    file = io.BytesIO()
    dcmwrite(file, dataset, implicit_vr=True, little_endian=True)
    clean = scrubbed(file.getvalue())
    assert np.array_equal(clean.pixel_array, grey())
    assert_nothing_is_left(as_file(clean))


def test_a_directory_and_files_without_pixels_are_never_written() -> None:
    directory = get_testdata_file("DICOMDIR", read=True)
    with pytest.raises(FileError, match="directory") as error:
        scrub(directory, KEY)
    assert error.value.code == "dicomdir"
    empty = x_ray()
    del empty.PixelData
    with pytest.raises(FileError) as error:
        scrub(empty, KEY)
    assert error.value.code == "dicom_no_pixels"


def test_damage_is_refused_without_a_word_of_the_file(caplog, recwarn) -> None:
    whole = as_file(x_ray())
    with caplog.at_level(logging.DEBUG):
        for end in range(140, len(whole), 37):
            try:
                scrub_file(whole[:end], KEY)
            except FileError as error:
                assert error.__cause__ is None  # noqa: PT017
                assert_nothing_is_left(error.reason.encode())
    assert_nothing_is_left(caplog.text.encode())
    assert not [warning for warning in recwarn if NAME in str(warning.message)]


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small.dcm", "SC_rgb_small_odd_big_endian.dcm", "JPEG2000.dcm"]
)
def test_real_files_are_written_again_readably(name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"pydicom brings no {name}")
    original = dcmread(path)
    name_before = str(original.PatientName)
    expected = original.pixel_array
    receipt = scrub(original, KEY)
    data = to_bytes(original)
    assert "header" in receipt.kinds
    assert name_before.encode() not in data
    assert np.array_equal(dcmread(io.BytesIO(data)).pixel_array, expected)


def test_what_may_stay_is_in_no_table_of_the_profile() -> None:
    names = (*profile.INTEGERS, *profile.DECIMALS, *profile.WORDS, *profile.TABLES)
    assert all(profile.may_stay(name) for name in names)
    assert all(keyword_for_tag(Tag(name)) == name for name in names)
    for name in ("PatientName", "OperatorsName", "AcquisitionDateTime", "ImageComments"):
        assert profile.is_in_profile(Tag(name))
    assert profile.is_in_profile(Tag(0x6002, 0x3000))
    assert profile.is_in_profile(Tag(0x5004, 0x0010))
    assert not profile.is_in_profile(Tag("Rows"))
