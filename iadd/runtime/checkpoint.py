"""Where a long call leaves its state, so that a later call goes on instead of beginning anew."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

CHECKPOINT_SECONDS = 20.0
"""Work that a killed run loses at most, by default."""


class CheckpointStore(Protocol):
    """One place for one run's state. A write replaces what was there, whole or not at all."""

    def read(self) -> bytes | None:
        """What was written last, or None."""

    def write(self, data: bytes) -> None:
        """Replace it."""


class FileCheckpoint:
    """A checkpoint in a file, replaced by renaming."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def read(self) -> bytes | None:
        """What was written last, or None."""
        return self.path.read_bytes() if self.path.exists() else None

    def write(self, data: bytes) -> None:
        """Replace it."""
        write_atomically(self.path, data)


def as_store(checkpoint: "Path | CheckpointStore | None") -> CheckpointStore | None:
    """Let a path stand for a :class:`FileCheckpoint`."""
    return FileCheckpoint(checkpoint) if isinstance(checkpoint, Path) else checkpoint


class Pacer:
    """Says when the next checkpoint is due. The clock decides when state is saved, never what."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def run_if_due(self, save: Callable[[], None]) -> None:
        """Call ``save`` when the interval has passed."""
        if time.monotonic() - self._last >= self._seconds:
            save()
            self._last = time.monotonic()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old content or the new, never a part."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of ``path`` when the block ends well, and else vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def pack(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> bytes:
    """Tensors and a JSON document as one safetensors file, the same bytes for the same content."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # One metadata key alone: with several, safetensors writes them in no fixed order.
    return save_tensors(contiguous, {"document": json.dumps(document, sort_keys=True)})


def unpack(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`pack` wrote."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return load_tensors(data), json.loads(header["__metadata__"]["document"])
