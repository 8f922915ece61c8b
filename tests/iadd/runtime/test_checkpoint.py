from pathlib import Path

import pytest
import torch

from iadd.runtime.checkpoint import CheckpointTimer, FileCheckpoint, pack, unpack, write_atomically


def test_what_is_packed_comes_back_and_packs_to_the_same_bytes() -> None:
    tensors = {"b": torch.randn(3), "a": torch.tensor(2.5)}
    document = {"numbers": [0.1, 1e-300], "word": "α"}
    data = pack(tensors, document)
    assert data == pack(tensors, document)
    found, described = unpack(data)
    assert described == document
    assert torch.equal(found["b"], tensors["b"])
    assert torch.equal(found["a"], tensors["a"])


def test_a_file_checkpoint_is_empty_at_first_and_then_holds_the_last_write(tmp_path: Path) -> None:
    store = FileCheckpoint(tmp_path / "deep" / "checkpoint")
    assert store.read() is None
    store.write(b"first")
    store.write(b"second")
    assert store.read() == b"second"


def test_a_failing_write_keeps_what_was_there_and_leaves_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"kept")
    with pytest.raises(TypeError):
        write_atomically(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"kept"
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_timer_saves_when_its_time_has_come() -> None:
    saved: list[int] = []
    CheckpointTimer(0).run_if_due(lambda: saved.append(1))
    CheckpointTimer(3600).run_if_due(lambda: saved.append(2))
    assert saved == [1]
