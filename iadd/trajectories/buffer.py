"""Trajectory buffer: the teachers of a run, on disk.

One safetensors file per teacher holds ``snapshots`` (E + 1, P) float32; snapshot 0 is the
initialisation. That of a private teacher with canaries also holds their ``canary_scores`` and
``canary_included``, (m,) each. Files are mapped into memory, and a snapshot is read when it is
used: memory grows neither with the number of teachers nor with their epochs.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError, safe_open
from torch import Tensor

from iadd.config import Config
from iadd.data.normalisation import Normalisation
from iadd.data.whitening import Whitening


class TrajectoryError(ValueError):
    """Trajectories are missing, damaged, or were recorded with other settings than the run's."""


def trajectory_path(out: Path, teacher: int) -> Path:
    """Return the path of one teacher's trajectory."""
    return Path(out) / f"teacher-{teacher:04d}.safetensors"


def whitening_path(out: Path, key: str) -> Path:
    """Return the path of a whitening that trajectories share.

    Args:
        out: Folder of the trajectories.
        key: Result of :func:`iadd.data.normalisation.whitening_key`.
    """
    return Path(out) / f"whitening-{key}.safetensors"


def read_whitening(path: Path) -> Whitening:
    """Read a whitening.

    Raises:
        TrajectoryError: When the file is missing or holds none.
    """
    with open_tensors(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    whitening = Whitening.from_tensors(tensors)
    if whitening is None:
        raise TrajectoryError(f"{path.name} holds no whitening: record the trajectories again.")
    return whitening


@dataclass(frozen=True)
class TrajectoryBuffer:
    """The teachers of a run, on disk.

    Attributes:
        paths: One trajectory file per teacher.
        teacher_key: Name of the settings that they were trained with.
        normalisation: Normalisation of the teachers' images; distilled images are in the same
            space.
        epochs: E: snapshots are numbered 0 to E.
    """

    paths: Sequence[Path]
    teacher_key: str
    normalisation: Normalisation
    epochs: int

    @classmethod
    def open(cls, folder: Path, config: Config | None = None) -> Self:
        """Open a folder of trajectories.

        Args:
            folder: Folder that :func:`record_trajectories` wrote.
            config: When given, the settings that the teachers must have been trained with, and
                the number of them to use.

        Raises:
            TrajectoryError: When trajectories are missing, damaged, or of other settings.
        """
        paths = sorted(
            p for p in Path(folder).glob("teacher-*.safetensors") if re.search(r"-\d+\.", p.name)
        )
        if not paths:
            raise TrajectoryError(f"No trajectories in {folder}: run `iadd teach` first.")
        documents = [read_document(path) for path in paths]
        keys = {document["teacher_key"] for document in documents}
        if len(keys) > 1:
            raise TrajectoryError(f"The trajectories in {folder} come from different settings.")
        if config is not None:
            if keys != {config.teacher_key()}:
                raise TrajectoryError(
                    f"The trajectories in {folder} were recorded with other settings than this "
                    "run's (network, augmentation, teacher, seed or image size): record them "
                    "again, in another folder."
                )
            if len(paths) < config.teacher.teachers:
                raise TrajectoryError(
                    f"{folder} holds {len(paths)} of {config.teacher.teachers} teachers: run "
                    "`iadd teach` again, it resumes where it stopped."
                )
            paths = paths[: config.teacher.teachers]
        first = documents[0]
        return cls(
            paths=tuple(paths),
            teacher_key=first["teacher_key"],
            normalisation=Normalisation(
                tuple(first["mean"]), tuple(first["std"]), _whitening_of(folder, documents)
            ),
            epochs=len(first["curves"]["loss"]),
        )

    def __len__(self) -> int:
        return len(self.paths)

    def snapshot(self, teacher: int, epoch: int) -> Tensor:
        """Read θ of one teacher after one epoch, (P,) float32, and nothing else."""
        with open_tensors(self.paths[teacher]) as file:
            theta: Tensor = file.get_slice("snapshots")[epoch]
        return theta

    def canaries(self, teacher: int) -> tuple[Tensor, Tensor] | None:
        """Read how much each canary moved a private teacher, and whether it was in.

        Returns:
            (m,) float32 and (m,) bool; None where the teacher had no canaries.
        """
        with open_tensors(self.paths[teacher]) as file:
            if "canary_scores" not in file.keys():  # noqa: SIM118 (no mapping)
                return None
            return file.get_tensor("canary_scores"), file.get_tensor("canary_included").bool()

    @cached_property
    def parameter_count(self) -> int:
        """P."""
        with open_tensors(self.paths[0]) as file:
            return int(file.get_slice("snapshots").get_shape()[1])


def _whitening_of(folder: Path, documents: Sequence[Mapping[str, Any]]) -> Whitening | None:
    """Read the whitening of the trajectories in a folder, if they have one."""
    keys = {document.get("whitening") for document in documents}
    if len(keys) > 1:
        raise TrajectoryError(f"The trajectories in {folder} are of differently whitened images.")
    key = keys.pop()
    return None if key is None else read_whitening(whitening_path(folder, key))


def open_tensors(path: Path) -> Any:
    """Open a file of tensors without reading any.

    Raises:
        TrajectoryError: When it is not such a file.
    """
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise TrajectoryError(f"{path.name} is not a trajectory file: {error}.") from error


def read_document(path: Path) -> dict[str, Any]:
    """Read the description in a trajectory file.

    Raises:
        TrajectoryError: When it is not a trajectory file.
    """
    with open_tensors(path) as file:
        document: dict[str, Any] = json.loads((file.metadata() or {}).get("document", "null"))
    if not document:
        raise TrajectoryError(f"{path.name} is not a trajectory file.")
    return document
