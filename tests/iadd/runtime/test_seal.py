"""A flipped bit of what is stored is an error, never another result."""

import io
import json
from pathlib import Path

import pytest
import torch

from iadd.data.image_set import ImageSet
from iadd.runtime.checkpoint import pack, unpack
from iadd.runtime.seal import (
    UNSEALED,
    DamagedError,
    expect_intact,
    expect_intact_file,
    sealed,
)
from iadd.trajectories.snapshot_file import Snapshots, write_tensors
from tests.fixtures.squares import draw_squares

DOCUMENT = {"name": "x", "list": [1, 2]}


def document_only() -> bytes:
    return sealed(json.dumps({**DOCUMENT, **UNSEALED}).encode())


def packed() -> bytes:
    return pack({"values": torch.arange(6).float()}, DOCUMENT)


def images() -> bytes:
    return draw_squares(4, 2, 2).to_bytes()


def flips(data: bytes) -> list[bytes]:
    """The bytes with one bit flipped, at some fifty places and at the last."""
    found = []
    for place in {*range(0, len(data), max(1, len(data) // 50)), len(data) - 1}:
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        found.append(bytes(changed))
    return found


def test_what_is_sealed_is_read_as_it_was() -> None:
    expect_intact(document_only())
    tensors, document = unpack(packed())
    assert tensors["values"].tolist() == [0, 1, 2, 3, 4, 5]
    assert document == DOCUMENT
    assert ImageSet.from_bytes(images()).to_bytes() == images()


@pytest.mark.parametrize("changed", flips(packed()))
def test_no_flipped_bit_of_tensors_changes_what_is_read(changed: bytes) -> None:
    """One in the name of the sum hides the sum, and nothing else."""
    try:
        tensors, document = unpack(changed)
    except DamagedError:
        return
    assert tensors["values"].tolist() == [0, 1, 2, 3, 4, 5]
    assert document.items() >= DOCUMENT.items()
    assert "sha256" not in document


@pytest.mark.parametrize("changed", flips(images()))
def test_no_flipped_bit_of_images_changes_what_is_read(changed: bytes) -> None:
    try:
        read = ImageSet.from_bytes(changed)
    except DamagedError:
        return
    assert read.to_bytes() == images()


@pytest.mark.parametrize("end", [0, 4, 8, 100, -1])
def test_nothing_that_is_cut_is_read(end: int) -> None:
    for read, data in ((unpack, packed()), (ImageSet.from_bytes, images())):
        with pytest.raises(DamagedError):
            read(data[:end])


def test_a_streamed_file_has_the_sum_of_its_bytes(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    for number in range(3):
        snapshots.append(torch.full((5,), float(number)))
    written = io.BytesIO()
    write_tensors(written, {"snapshots": snapshots}, DOCUMENT)
    snapshots.close()
    expect_intact(written.getvalue())

    path = tmp_path / "file"
    path.write_bytes(written.getvalue())
    expect_intact_file(path)
    path.write_bytes(flips(written.getvalue())[-1])
    with pytest.raises(DamagedError):
        expect_intact_file(path)


def test_what_was_stored_before_there_were_sums_passes() -> None:
    expect_intact(json.dumps(DOCUMENT).encode())
