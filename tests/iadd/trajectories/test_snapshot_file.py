import io
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from iadd.runtime.checkpoint import pack
from iadd.trajectories.snapshot_file import Snapshots, write_tensors


@pytest.mark.parametrize("parameters", [1, 7, 1000])
def test_a_streamed_file_is_the_librarys_to_the_byte(tmp_path: Path, parameters: int) -> None:
    rows = torch.randn(3, parameters)
    snapshots = Snapshots(tmp_path)
    for row in rows:
        snapshots.append(row)
    others = {f"momentum.{index}": torch.randn(2, index + 1) for index in range(12)}
    document = {"classes": ["COVID-19", 'läßt "\\\n grüßen'], "mean": [0.5], "key": "a/b"}
    streamed = io.BytesIO()
    write_tensors(streamed, {**others, "snapshots": snapshots}, document)
    assert streamed.getvalue() == pack({**others, "snapshots": rows}, document)
    path = tmp_path / "read.safetensors"
    path.write_bytes(streamed.getvalue())
    with safe_open(path, framework="pt") as file:
        assert torch.equal(file.get_slice("snapshots")[1], rows[1])


def test_snapshots_go_on_after_they_were_copied_and_leave_nothing_behind(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.append(torch.ones(3))
    first, second = io.BytesIO(), io.BytesIO()
    snapshots.copy_to(first)
    snapshots.append(torch.zeros(3))
    snapshots.copy_to(second)
    assert (len(first.getvalue()), len(second.getvalue())) == (12, 24)
    assert second.getvalue().startswith(first.getvalue())
    assert snapshots.shape == (2, 3)
    assert list(tmp_path.iterdir()) == []
