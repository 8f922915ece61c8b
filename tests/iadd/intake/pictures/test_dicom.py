"""DICOM written with every transfer syntax gives the pixels of its source."""

import io
import json
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom import uid

from iadd.intake.errors import FileError
from iadd.intake.pictures.dicom import read_dicom
from iadd.intake.pictures.protocol import pack_picture
from tests.fixtures.dicom import LOSSLESS, LOSSY, window_of, write_dicom
from tests.iadd.intake.pictures.drawing import KEY, SIDE, chest, read

BITS = 12


# pydicom warns of what is wrong with a file, here and in the children, where nobody listens.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def levels_of(data: bytes) -> np.ndarray:
    image, _, _ = read_dicom(data, KEY, lambda size: None)
    assert callable(image.rows)
    return image.rows(0, image.height)


def stored(levels: np.ndarray, bits: int = BITS) -> np.ndarray:
    """Undo the window over all values of `bits` bits."""
    return np.rint(levels / 65535 * ((1 << bits) - 1)).astype(int)


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS)
def test_lossless_syntaxes_give_equal_pixels(syntax):
    pixels = chest(BITS)[:61, :47].copy()
    levels = levels_of(write_dicom(pixels, syntax, **window_of(BITS)))
    assert np.array_equal(stored(levels), pixels)


@pytest.mark.parametrize("syntax", LOSSY.values(), ids=LOSSY)
def test_lossy_syntaxes_give_pixels_within_their_error(syntax):
    pixels = chest(BITS)
    levels = levels_of(write_dicom(pixels, syntax, **window_of(BITS)))
    error = np.abs(stored(levels) - pixels)
    assert error.mean() < 30
    assert error.max() < 400


def test_near_lossless_keeps_its_promise():
    pixels = chest(BITS)
    levels = levels_of(write_dicom(pixels, uid.JPEGLSNearLossless, **window_of(BITS)))
    assert np.abs(stored(levels) - pixels).max() <= 2


def test_baseline_of_8_bits_and_odd_length_is_read():
    pixels = chest(8)[:63, :61].copy()
    raw = levels_of(write_dicom(pixels, bits=8, **window_of(8)))
    assert np.array_equal(stored(raw, 8), pixels)
    lossy = levels_of(write_dicom(pixels, uid.JPEGBaseline8Bit, bits=8, **window_of(8)))
    assert np.abs(stored(lossy, 8) - pixels).mean() < 3


@pytest.mark.parametrize(
    "name", ["implicit", "explicit", "big endian", "deflated", "run lengths", "JPEG-LS"]
)
def test_signed_pixels_keep_their_order(name):
    pixels = (chest(BITS).astype(int) - 2048).astype(np.int16)
    data = write_dicom(
        pixels, LOSSLESS[name], bits=16, RescaleSlope=1, RescaleIntercept=2048, **window_of(BITS)
    )
    assert np.array_equal(stored(levels_of(data)), chest(BITS))


def test_signed_jpeg_2000_keeps_its_order():
    pixels = (chest(BITS).astype(int) - 2048).astype(np.int16)
    data = write_dicom(
        pixels, uid.JPEG2000Lossless, bits=16, RescaleIntercept=2048, RescaleSlope=1,
        **window_of(BITS),
    )  # fmt: skip
    assert np.array_equal(stored(levels_of(data)), chest(BITS))


@pytest.mark.parametrize("syntax", ["implicit", "explicit", "big endian"])
@pytest.mark.parametrize("meta", [True, False])
def test_files_without_preamble_are_read(syntax, meta):
    pixels = chest(BITS)
    data = write_dicom(pixels, LOSSLESS[syntax], preamble=False, meta=meta, **window_of(BITS))
    assert read(data).format == "DICOM"
    assert np.array_equal(stored(levels_of(data)), pixels)


def test_a_preamble_that_looks_like_a_tiff_is_dicom():
    data = write_dicom(chest(BITS))
    assert read(b"II*\0" + data[4:]).format == "DICOM"


def test_facts_are_kept_and_names_are_not():
    picture = read(write_dicom(chest(BITS), BurnedInAnnotation="YES"))
    assert picture.dicom is not None
    assert (picture.dicom.view, picture.dicom.modality) == ("PA", "DX")
    assert picture.dicom.burned_in is True
    assert picture.depth == 16
    assert picture.dicom.patient is not None
    assert len(picture.dicom.patient) == 16
    assert b"PLANTED" not in b"".join(pack_picture(picture))


def test_equal_patients_have_equal_hashes_and_only_under_one_key():
    first = read(write_dicom(chest(BITS)))
    second = read(write_dicom(chest(BITS, number=1), PatientID="PLANTED-1 "))
    other = read(write_dicom(chest(BITS), PatientID="PLANTED-2"))
    assert first.dicom.patient == second.dicom.patient != other.dicom.patient
    _, facts, _ = read_dicom(write_dicom(chest(BITS)), b"another key", lambda size: None)
    assert facts.patient != first.dicom.patient


def test_free_text_in_the_view_is_dropped():
    assert read(write_dicom(chest(BITS), ViewPosition="MUELLER HANS")).dicom.view is None


@pytest.mark.parametrize(
    ("elements", "code"),
    [
        ({"Modality": "CT"}, "dicom_modality"),
        ({"Modality": "PLANTED"}, "dicom_modality"),
        ({"NumberOfFrames": 2}, "dicom_frames"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "dicom_colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "dicom_colour"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "dicom_localizer"),
        ({"Rows": 8}, "too_small"),
        ({"Rows": 60_000, "Columns": 60_000}, "too_large"),
        ({"Rows": 5000}, "truncated"),
        ({"Rows": None}, "truncated"),
        ({"BitsAllocated": 32}, "unsupported_pixels"),
    ],
)
def test_what_is_no_single_grey_xray_is_refused_by_name(elements, code):
    with pytest.raises(FileError) as refusal:
        read(write_dicom(chest(BITS), **elements))
    assert refusal.value.code == code
    assert "PLANTED" not in refusal.value.reason


def test_dicom_without_pixels_is_refused():
    data = write_dicom(chest(BITS))
    with pytest.raises(FileError) as refusal:
        read(data[: data.index(b"\xe0\x7f\x10\x00")])
    assert refusal.value.code == "dicom_no_pixels"


@pytest.mark.parametrize("modality", ["OT", "SC"])
def test_captures_are_read_with_a_flag(modality):
    assert "secondary_capture" in read(write_dicom(chest(BITS), Modality=modality)).flags
    assert "secondary_capture" not in read(write_dicom(chest(BITS))).flags


def test_a_missing_modality_is_that_of_the_class():
    assert read(write_dicom(chest(BITS), Modality=None)).dicom.modality == "DX"


@pytest.mark.parametrize("name", LOSSLESS)
def test_files_cut_short_are_refused(name):
    data = write_dicom(chest(BITS), LOSSLESS[name])
    for length in (len(data) // 2, len(data) * 3 // 4):
        with pytest.raises(FileError) as refusal:
            read(data[:length])
        assert refusal.value.code in ("truncated", "dicom_no_pixels", "unsupported_pixels")


@pytest.mark.parametrize("name", [name for name in LOSSLESS if "J" in name])
def test_a_codestream_of_another_size_is_refused(name):
    pixels = chest(BITS)[:32].copy()
    for rows, columns in ((SIDE, 32), (16, 16), (100, 100)):
        data = write_dicom(pixels, LOSSLESS[name], Rows=rows, Columns=columns)
        with pytest.raises(FileError) as refusal:
            read(data)
        assert refusal.value.code == "truncated"


def test_every_file_of_pydicom_gives_a_picture_or_a_named_refusal():
    folder = Path(pydicom.data.__file__).parent / "test_files"
    outcomes = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            outcomes[path.name] = read(path.read_bytes()).format
        except FileError as error:
            outcomes[path.name] = error.code
    assert outcomes["image_dfl.dcm"] == "DICOM"
    assert outcomes["6154"] == "DICOM"
    assert outcomes["DICOMDIR"] == "dicomdir"
    assert outcomes["CT_small.dcm"] == "dicom_modality"
    assert outcomes["SC_rgb_jpeg.dcm"] == "dicom_colour"
    assert outcomes["test-SR.dcm"] == "dicom_modality"


@pytest.mark.parametrize(
    "name",
    [
        "JPGExtended.dcm", "JPEG-lossy.dcm", "JPEG2000.dcm", "693_J2KI.dcm", "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm", "MR_small_implicit.dcm", "MR_small_padded.dcm",
        "MR_small_jp2klossless.dcm", "MR_small_bigendian.dcm", "J2K_pixelrep_mismatch.dcm",
    ],
)  # fmt: skip
def test_pixels_of_pydicoms_files_equal_its_own(name):
    path = next((Path(pydicom.data.__file__).parent / "test_files").rglob(name))
    header = pydicom.dcmread(path, force=True)
    expected = header.pixel_array.astype(int)
    low, span = expected.min(), int(expected.max() - expected.min())
    header.Modality = "DX"
    for keyword in ("RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "VOILUTSequence"):
        header.pop(keyword, None)
    # LINEAR_EXACT maps the least value to 0 and the greatest to 65,535.
    header.VOILUTFunction = "LINEAR_EXACT"
    header.WindowCenter, header.WindowWidth = f"{low + span / 2:.1f}", str(span)
    header.PhotometricInterpretation = "MONOCHROME2"
    file = io.BytesIO()
    header.save_as(file)
    levels = levels_of(file.getvalue())
    assert np.array_equal(np.rint(levels / 65535 * span).astype(int), expected - low)


def test_facts_are_plain_json():
    facts = read(write_dicom(chest(BITS))).dicom
    assert json.loads(json.dumps(vars(facts))) == vars(facts)
