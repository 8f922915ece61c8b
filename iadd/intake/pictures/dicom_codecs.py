"""Decoders of compressed DICOM pixels that pydicom does not bring, as a plugin for it.

JPEG 2000 and HTJ2K by OpenJPEG; JPEG of 8 and 12 bits and lossless JPEG by imagecodecs; run lengths
by imagecodecs, too, because pydicom's decoder in Python takes minutes for a large picture; JPEG-LS
by pyjpegls. pylibjpeg-libjpeg is never used: it is under GPLv3.

Each checks that the codestream has the size that the header states: with width and height exchanged
the number of pixels would fit, and the picture would come out sheared.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
from pydicom import uid
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

from iadd.intake.pictures.jpeg import is_complete

PLUGIN = "iadd"

_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_2000 = (
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_RLE = (uid.RLELossless,)

# pydicom asks each plugin for these two names.
DECODER_DEPENDENCIES = dict.fromkeys(
    (*_JPEG, *_JPEG_2000, *_JPEG_LS, *_RLE), ("imagecodecs", "pylibjpeg-openjpeg", "pyjpegls")
)


def is_available(syntax: str) -> bool:
    """Whether this plugin decodes a transfer syntax; its packages are installed with ours."""
    return syntax in DECODER_DEPENDENCIES


@cache
def register() -> None:
    """Offer the plugin to pydicom, once per process."""
    for syntax in DECODER_DEPENDENCIES:
        get_decoder(syntax).add_plugin(PLUGIN, (__name__, "decode_frame"))


def plugin_for(syntax: str) -> str:
    """Return the name of the plugin that decodes a transfer syntax; empty for pydicom's choice."""
    return PLUGIN if is_available(syntax) else ""


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes | bytearray:
    """Decode one frame of one sample per pixel for pydicom.

    Raises:
        ValueError: when the codestream is cut short, or of another size than the header states.
    """
    if runner.transfer_syntax in _JPEG_2000:
        return _decode_jpeg_2000(source, runner)
    if runner.transfer_syntax in _JPEG_LS:
        return _decode_jpeg_ls(source, runner)
    if runner.transfer_syntax in _RLE:
        from imagecodecs import dicomrle_decode

        return bytes(dicomrle_decode(source, f"<u{runner.bits_allocated // 8}"))
    return _decode_jpeg(source, runner)


def _decode_jpeg(source: bytes, runner: DecodeRunner) -> bytes:
    from imagecodecs import jpeg8_decode

    if not is_complete(source):
        raise ValueError("the codestream is cut short")
    samples: np.ndarray[Any, Any] = jpeg8_decode(source)
    _check_size(runner, *samples.shape[:2])
    runner.set_option("bits_allocated", 8 * samples.dtype.itemsize)
    return samples.tobytes()


def _decode_jpeg_ls(source: bytes, runner: DecodeRunner) -> bytearray:
    from jpeg_ls import decode_pixel_data  # type: ignore[import-untyped]

    frame, info = decode_pixel_data(source)
    _check_size(runner, info["height"], info["width"])
    runner.set_option("bits_allocated", 8 if info["bits_per_sample"] <= 8 else 16)
    return cast(bytearray, frame)


def _decode_jpeg_2000(source: bytes, runner: DecodeRunner) -> bytearray:
    from openjpeg.utils import decode_pixel_data, get_parameters

    parameters = get_parameters(source)
    _check_size(runner, parameters["rows"], parameters["columns"])
    frame = decode_pixel_data(source, version=2)
    precision = int(runner.get_option("j2k_precision", runner.bits_stored))
    runner.set_option("bits_allocated", 8 if precision <= 8 else 16)
    return cast(bytearray, frame)


def _check_size(runner: DecodeRunner, height: object, width: object) -> None:
    if (height, width) != (runner.rows, runner.columns):
        raise ValueError("the codestream holds another size than the header states")
