"""Stores the record of a run in its folder: figures as JSON, and the time that it took."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.evaluation.metrics import Evaluation
from iadd.reproduce.study import Row
from iadd.runtime.checkpoint import write_atomically


class StudyError(ValueError):
    """A study cannot continue in this folder. The message says what to do."""


@dataclass
class RunRecord:
    """The figures of one row with one seed, in ``evaluation.json``.

    Attributes:
        row: The row of the study.
        seed: Seed of the run.
        config: Its settings.
        folder: Folder of all files of the run.
        networks: Figures by network, as :meth:`Evaluation.to_dict` returns them.
        unaugmented: Figures of the run's own network without augmentation, or empty.
        lr_search: Search for the learning rate that a small set carries, as
            :meth:`RateSearch.to_dict` returns it, or empty.
        seconds: Time by phase, without the time of a killed process since its last phase.
        facts: Numbers for the tables: the iteration kept, α, the spread of W.
        failure: Reason why the run ended without figures, or empty. It is not stored: the next
            call tries again.
    """

    row: Row
    seed: int
    config: Config
    folder: Path
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    unaugmented: dict[str, Any] = field(default_factory=dict)
    lr_search: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    failure: str = ""

    @classmethod
    def open(cls, row: Row, config: Config, folder: Path) -> Self:
        """Open the record in a folder, or make an empty one.

        Raises:
            StudyError: When the folder holds a run of other settings.
        """
        record = cls(row, config.seed, config, folder)
        if record.path.exists():
            document = json.loads(record.path.read_text())
            if Config.from_dict(document["config"]) != config:
                raise StudyError(
                    f"{folder} holds a run of other settings: choose another folder for this "
                    "study, or remove that one."
                )
            record.networks = document["networks"]
            # Version 0.3 had neither.
            record.unaugmented = document.get("unaugmented", {})
            record.lr_search = document.get("lr_search", {})
            record.seconds = document["seconds"]
            record.facts = document["facts"]
        return record

    @property
    def path(self) -> Path:
        """Path of the record's file."""
        return self.folder / "evaluation.json"

    def add(self, network: str, evaluation: Evaluation) -> None:
        """Add the figures of one network."""
        self.networks[network] = evaluation.to_dict()

    def save(self) -> None:
        """Write the file completely or not at all."""
        write_atomically(self.path, json.dumps(self.to_dict(), indent=2).encode())

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types."""
        return {
            "row": self.row.name,
            "kind": self.row.kind,
            "seed": self.seed,
            "config": self.config.to_dict(),
            "networks": self.networks,
            "unaugmented": self.unaugmented,
            "lr_search": self.lr_search,
            "seconds": self.seconds,
            "facts": self.facts,
        }

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the time of the block to the seconds of a phase, also when it is interrupted."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[phase] = round(self.seconds.get(phase, 0.0) + spent, 1)
            self.save()


def keep_to_one_data_set(out: Path, images: ImageSet) -> str:
    """Record the images of a study at its first run, and reject others later.

    Returns:
        Digest of the images, 16 hexadecimal digits.

    Raises:
        StudyError: When the folder holds a study of other images.
    """
    digest = _digest(images)
    path = out / "data.json"
    if path.exists():
        if json.loads(path.read_text())["digest"] != digest:
            raise StudyError(f"{out} holds a study of other images: choose another folder.")
        return digest
    counts = {part: images.part(part).count_by_class() for part in ("train", "validation", "test")}
    document = {"digest": digest, "classes": images.classes, "images": counts}
    write_atomically(path, json.dumps(document, indent=2).encode())
    return digest


def _digest(images: ImageSet) -> str:
    state = hashlib.sha256(repr(images.classes).encode())
    for tensor in (images.images, images.labels, images.split):
        state.update(tensor.contiguous().numpy().tobytes())
    return state.hexdigest()[:16]
