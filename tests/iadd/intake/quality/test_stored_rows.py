"""Numbers of each picture that lie in a file are the same as those in memory."""

import numpy as np

from iadd.intake.quality.thumbnails import StoredRows, normalised, shrink, stored_thumbnails

PICTURES = np.random.default_rng(0).integers(0, 256, (300, 64, 64), dtype=np.uint8)


def test_rows_are_read_in_runs_and_by_number() -> None:
    expected = np.arange(30, dtype=np.float16).reshape(10, 3)
    rows = StoredRows(PICTURES, 3, np.float16)
    rows.append(expected[:4])
    rows.append(expected[4:])
    assert [(start, len(block)) for start, block in rows.blocks(4)] == [(0, 4), (4, 4), (8, 2)]
    np.testing.assert_array_equal(np.concatenate([b for _, b in rows.blocks(4)]), expected)
    np.testing.assert_array_equal(rows.take([7, 0, 7]), expected[[7, 0, 7]])
    assert rows.take([]).shape == (0, 3)


def test_thumbnails_lie_beside_memory_mapped_pictures_and_leave_no_file(tmp_path) -> None:
    np.save(tmp_path / "set.npy", PICTURES)
    mapped = np.load(tmp_path / "set.npy", mmap_mode="r")
    rows = stored_thumbnails(mapped, 16)
    expected = normalised(shrink(PICTURES, 16, 16))
    np.testing.assert_array_equal(rows.take(np.arange(300)), expected)
    assert [file.name for file in tmp_path.iterdir()] == ["set.npy"]
