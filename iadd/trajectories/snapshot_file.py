"""Keeps the snapshots of a teacher in training on disk, and streams them into safetensors files.

A ResNet18 of 50 epochs has 2.2 GB of snapshots. On disk they take the memory of one; the final
files are written by streaming, byte for byte as the safetensors library writes them.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor

from iadd.runtime.seal import UNSEALED, SealingFile

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_ALIGNMENT = 8


class Snapshots:
    """Vectors θ of one teacher, in the order of its epochs: (n, P) float32, one in memory.

    Args:
        folder: Folder for the file; it has no name there, and vanishes with the process.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (see close)
        self._count = 0
        self.last = torch.empty(0)
        """The latest snapshot, (P,)."""

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, int]:
        """(n, P)."""
        return self._count, self.last.numel()

    def append(self, theta: Tensor) -> None:
        """Add a snapshot, (P,) float32."""
        self.last = theta.detach().cpu().contiguous()
        self._file.seek(0, os.SEEK_END)
        self._file.write(_bytes_of(self.last))
        self._count += 1

    def copy_to(self, file: "SupportsWrite[Any]") -> None:
        """Write all snapshots to a file, a block at a time."""
        self._file.seek(0)
        shutil.copyfileobj(self._file, file)

    def close(self) -> None:
        """Delete the snapshots."""
        self._file.close()


def write_tensors(
    file: IO[bytes], tensors: Mapping[str, Tensor | Snapshots], document: Mapping[str, Any]
) -> None:
    """Write float32 tensors and a document in the safetensors format, one tensor at a time.

    The bytes are those of :func:`iadd.runtime.checkpoint.pack`.

    Args:
        file: Open for writing; it can be sought in.
        tensors: By name; all float32.
        document: JSON document for the metadata.
    """
    text = json.dumps({**document, **UNSEALED}, sort_keys=True)
    header: dict[str, Any] = {"__metadata__": {"document": text}}
    first = 0
    ordered = dict(sorted(tensors.items()))
    for name, tensor in ordered.items():
        rows = tuple(tensor.shape)
        size = 4 * int(torch.Size(rows).numel())
        offsets = [first, first + size]
        header[name] = {"dtype": "F32", "shape": list(rows), "data_offsets": offsets}
        first += size
    line = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    line += b" " * (-len(line) % _ALIGNMENT)
    sealing = SealingFile(file, len(line).to_bytes(8, "little") + line)
    for tensor in ordered.values():
        if isinstance(tensor, Snapshots):
            tensor.copy_to(sealing)
        else:
            sealing.write(_bytes_of(tensor.detach().cpu().contiguous()))
    sealing.seal()


def _bytes_of(tensor: Tensor) -> Any:
    return tensor.numpy().reshape(-1).data
