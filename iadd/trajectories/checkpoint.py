"""Checkpoints of teachers in training.

The checkpoint of one teacher holds ``snapshots`` (e + 1, P) and ``momentum.i``, in the format of a
trajectory file; that of a group holds ``snapshots.t`` for each member and ``momentum.i`` of all,
(T, …).
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from iadd.runtime.checkpoint import CheckpointStore, replacing, unpack
from iadd.trajectories.buffer import TrajectoryError, open_tensors, read_document
from iadd.trajectories.snapshot_file import Snapshots, write_tensors
from iadd.trajectories.teacher_trainer import Teachers

_MOMENTUM = "momentum."


def save_teachers(teachers: Teachers, path: Path, store: CheckpointStore | None) -> None:
    """Save the state of teachers: streamed to a file, or in one piece to a store."""
    documents = [teachers.document(position) for position in range(len(teachers.numbers))]
    tensors: dict[str, Tensor | Snapshots] = {
        f"{_MOMENTUM}{index}": momentum if len(documents) > 1 else momentum[0]
        for index, momentum in teachers.momenta().items()
    }
    tensors |= dict(zip(_names(teachers), teachers.snapshots, strict=True))
    document: dict[str, Any] = {"group": documents} if len(documents) > 1 else documents[0]
    if store is None:
        with replacing(path) as file:
            write_tensors(file, tensors, document)
        return
    whole = io.BytesIO()
    write_tensors(whole, tensors, document)
    store.write(whole.getvalue())


def restore_teachers(teachers: Teachers, path: Path, store: CheckpointStore | None) -> None:
    """Restore teachers from a checkpoint; do nothing where there is none.

    Raises:
        TrajectoryError: When it is damaged, of other settings or of other teachers.
    """
    if store is not None:
        data = store.read()
        if data is not None:
            tensors, document = unpack(data)
            _check(teachers, document)
            rows = [iter(tensors[name]) for name in _names(teachers)]
            momenta = {n: t for n, t in tensors.items() if n.startswith(_MOMENTUM)}
            _restore(teachers, document, rows, momenta)
    elif path.exists():
        document = read_document(path)
        _check(teachers, document)
        with open_tensors(path) as file:
            rows = [_rows(file.get_slice(name)) for name in _names(teachers)]
            momenta = {n: file.get_tensor(n) for n in file.keys() if n.startswith(_MOMENTUM)}  # noqa: SIM118
            _restore(teachers, document, rows, momenta)


def group_of(path: Path) -> list[int]:
    """Return the numbers of the teachers in a checkpoint file.

    Raises:
        TrajectoryError: When it is damaged.
    """
    return [one["teacher"] for one in _documents(read_document(path))]


def _restore(
    teachers: Teachers,
    document: dict[str, Any],
    rows: list[Iterator[Tensor]],
    momenta: dict[str, Tensor],
) -> None:
    alone = len(teachers.numbers) == 1
    teachers.restore(
        rows,
        [one["curves"] for one in _documents(document)],
        {
            int(name.removeprefix(_MOMENTUM)): momentum[None] if alone else momentum
            for name, momentum in momenta.items()
        },
    )


def _check(teachers: Teachers, document: dict[str, Any]) -> None:
    documents = _documents(document)
    keys = {one["teacher_key"] for one in documents}
    numbers = tuple(one["teacher"] for one in documents)
    if keys != {teachers.teacher_step.config.teacher_key()} or numbers != teachers.numbers:
        raise TrajectoryError(
            "The checkpoint belongs to a teacher of other settings: remove it, or choose "
            "another folder."
        )


def _documents(document: dict[str, Any]) -> list[dict[str, Any]]:
    group: list[dict[str, Any]] = document.get("group", [document])
    return group


def _names(teachers: Teachers) -> list[str]:
    if len(teachers.numbers) == 1:
        return ["snapshots"]
    return [f"snapshots.{position}" for position in range(len(teachers.numbers))]


def _rows(snapshots: Any) -> Iterator[Tensor]:
    return (snapshots[index] for index in range(snapshots.get_shape()[0]))
