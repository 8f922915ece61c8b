"""Stores the state of a long call, so that a later call resumes instead of starting anew."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from iadd.runtime.seal import SUM, UNSEALED, DamagedError, expect_intact, sealed

CHECKPOINT_SECONDS = 20.0
"""Default limit of the computation that a killed run loses, in seconds."""


class CheckpointStore(Protocol):
    """Stores the state of one run. A write replaces the state completely or not at all."""

    def read(self) -> bytes | None:
        """Return the state that was written last, or None."""

    def write(self, data: bytes) -> None:
        """Replace the state."""


class FileCheckpoint:
    """A checkpoint in a file, replaced by renaming."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def read(self) -> bytes | None:
        """Return the state that was written last, or None."""
        return self.path.read_bytes() if self.path.exists() else None

    def write(self, data: bytes) -> None:
        """Replace the state."""
        write_atomically(self.path, data)


def as_store(checkpoint: "Path | CheckpointStore | None") -> CheckpointStore | None:
    """Turn a path into a :class:`FileCheckpoint`; return a store unchanged."""
    return FileCheckpoint(checkpoint) if isinstance(checkpoint, Path) else checkpoint


class CheckpointTimer:
    """Decides when the next checkpoint is due. The clock never changes what is saved."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def run_if_due(self, save: Callable[[], None]) -> None:
        """Call ``save`` when the interval has passed."""
        if time.monotonic() - self._last >= self._seconds:
            save()
            self._last = time.monotonic()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old content or the new, never a part of it."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces ``path`` when the block succeeds, and is deleted otherwise."""
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
    """Serialise tensors and a JSON document as safetensors; equal content gives equal bytes."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # One metadata key only: safetensors writes several in no fixed order.
    text = json.dumps({**document, **UNSEALED}, sort_keys=True)
    return sealed(save_tensors(contiguous, {"document": text}))


def unpack(data: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`pack` wrote.

    Raises:
        DamagedError: When the bytes are not as it wrote them.
    """
    expect_intact(data)
    try:
        tensors = load_tensors(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        document: dict[str, Any] = json.loads(header["__metadata__"]["document"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise DamagedError("these bytes are not what was stored") from error
    document.pop(SUM, None)
    return tensors, document
