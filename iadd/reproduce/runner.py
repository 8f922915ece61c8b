"""Runs a study: every row with every seed, except those that are done already."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from iadd.bundle.image_grid import draw_image_grid
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.selection import TooFewImagesError
from iadd.distillation.distill import DistillationDivergedError, distill
from iadd.dp.ledger import FileLedgerStore, Ledger
from iadd.dp.private_data import PrivateData
from iadd.evaluation.evaluator import (
    evaluate,
    evaluate_across,
    evaluate_full,
    evaluate_random,
)
from iadd.evaluation.learning_rate import RateSearch
from iadd.evaluation.metrics import Evaluation
from iadd.evaluation.resnet50 import evaluate_resnet50
from iadd.evaluation.robustness import without_augmentation
from iadd.networks.build import build_architecture
from iadd.networks.resnet50 import WeightsError, load_weights
from iadd.reproduce.attacks import Audits, attack_run
from iadd.reproduce.plots import draw_run, measure_run
from iadd.reproduce.run_record import RunRecord, StudyError, keep_to_one_data_set
from iadd.reproduce.small_sets import (
    as_small_set,
    centre_images,
    select_images,
    start_images,
    subset_rows,
    with_chosen_rate,
)
from iadd.reproduce.study import ARCHITECTURES, RESNET50, Row, Study, network_label
from iadd.reproduce.teachers import evaluate_teachers
from iadd.runtime.checkpoint import write_atomically
from iadd.runtime.oom import OutOfMemoryError
from iadd.runtime.progress import Progress, ProgressListener
from iadd.trajectories.record import TrajectoryBuffer, record_trajectories

_RUN_ERRORS = (DistillationDivergedError, OutOfMemoryError, TooFewImagesError, WeightsError)
"""Errors that end one run; the other runs of the study continue."""

_FACTORS = (1 / 3, 1.0, 3.0)
"""Rates that the row of all images chooses from, as factors of the teachers' rate."""

__all__ = ["RunRecord", "StudyError", "StudyProgress", "run_study"]


@dataclass(frozen=True)
class StudyProgress:
    """One progress report of a study.

    Attributes:
        run: Description of the run.
        done: Runs finished.
        runs: Runs in all.
        progress: Progress of the run itself, or None when it has just ended.
        record: The figures of the run that has just ended, or None.
    """

    run: str
    done: int
    runs: int
    progress: Progress | None = None
    record: RunRecord | None = None


StudyListener = Callable[[StudyProgress], None]


def run_study(
    study: Study,
    images: ImageSet,
    config: Config,
    *,
    out: Path,
    seeds: int = 1,
    architectures: Sequence[str] | None = None,
    teachers: Path | None = None,
    weights: Path | None = None,
    random_split: bool = True,
    on_progress: StudyListener | None = None,
    device: torch.device | str = "cpu",
) -> list[RunRecord]:
    """Run every row of a study, and store each run in ``out/<row>/seed-<n>``.

    A finished run is not repeated; an interrupted one resumes. Choices (iteration, learning rate)
    are made on the validation split; the test split is read once they are made.

    Args:
        study: The rows.
        images: Images of all three splits.
        config: Settings that every row starts from; ``evaluation_networks`` per seed.
        out: Folder of the study.
        seeds: Distillations per row, with the seeds from ``config.seed`` on. All use the teachers
            of ``config.seed``; training on the full set uses that seed only.
        architectures: Names in ``ARCHITECTURES`` to try distilled sets on; the study's unless
            given.
        teachers: Folder of the teachers; ``out/teachers`` unless given. Rows that need teachers
            of their own record them beside it.
        weights: File of ImageNet's weights of ResNet50 for ``transfer`` rows; torchvision's own
            loading unless given (:func:`iadd.networks.resnet50.load_weights`).
        random_split: Whether chance decided the split; read where the study is attacked.
        on_progress: Called during a run and at its end.
        device: Device to compute on.

    Returns:
        One record per row and seed, in the order of the rows. A run that its settings end (it
        diverges, a class has too few images, or weights are not to be had) has a ``failure``, and
        the others continue.

    Raises:
        StudyError: When ``out`` holds runs of other settings or images.
        ConfigError: When a row does not fit the settings.
    """
    names = study.architectures if architectures is None else tuple(architectures)
    listener = on_progress or (lambda _: None)
    tried = {name: _architecture(name) for name in names}
    # Every setting of every row is checked before the first run starts.
    runs = [
        RunRecord.open(row, row.config(config, seed), out / row.folder / f"seed-{seed}")
        for row in study.rows
        for seed in _seeds_of(row, config, seeds)
    ]
    for network in tried.values():
        _check_fit(config.override(network), images)
    keep_to_one_data_set(out, images)
    teacher_cache = _TeacherCache(images, config, teachers or out / "teachers", device)
    audits = Audits(images, random_split=random_split)
    for done, record in enumerate(runs):
        run = f"{record.row.name}, seed {record.seed}"

        def listen(progress: Progress, run: str = run, done: int = done) -> None:
            listener(StudyProgress(run, done, len(runs), progress))

        try:
            if record.row.kind in ("scratch", "transfer"):
                _run_resnet50(record, images, weights, listen, device)
            else:
                _run(record, images, tried, teacher_cache, listen, device, robust=study.robust)
            if study.attacked:
                attack_run(
                    record,
                    audits,
                    lambda one, report: teacher_cache.get(one.config, report),
                    on_progress=listen,
                    device=device,
                )
        except _RUN_ERRORS as error:
            record.failure = str(error)
        listener(StudyProgress(run, done + 1, len(runs), record=record))
    return runs


def _seeds_of(row: Row, config: Config, seeds: int) -> range:
    return range(config.seed, config.seed + (1 if row.kind in ("full", "teacher") else seeds))


def _architecture(name: str) -> Mapping[str, object]:
    if name not in ARCHITECTURES:
        raise StudyError(f"There is no network {name!r}: there are {', '.join(ARCHITECTURES)}.")
    return ARCHITECTURES[name]


def _check_fit(config: Config, images: ImageSet) -> None:
    """Reject a network that the images are too small for, before anything is trained."""
    build_architecture(config, channels=images.images.shape[1], classes=len(images.classes))


@dataclass
class _TeacherCache:
    """Records and reuses teachers: those of the study's first seed, whatever the run's seed."""

    images: ImageSet
    config: Config
    folder: Path
    device: torch.device | str

    def get(self, config: Config, on_progress: ProgressListener) -> TrajectoryBuffer:
        """Return the teachers for a run's settings; train those that do not exist yet."""
        own = replace(config, seed=self.config.seed)
        return record_trajectories(
            self.images_for(config),
            own,
            out=self._folder_of(own),
            on_progress=on_progress,
            device=self.device,
        )

    def images_for(self, config: Config) -> ImageSet | PrivateData:
        """Return the images as a run reads them: under ``dp`` behind the ledger of its teachers.

        Each ``dp`` row has its own ledger, as if it were the only run on these images, and their
        number is declared.
        """
        if config.protection.privacy != "dp":
            return self.images
        folder = self._folder_of(replace(config, seed=self.config.seed))
        return PrivateData(
            self.images,
            Ledger(FileLedgerStore(folder / "ledger.jsonl")),
            declared_units=config.protection.declared_patients or len(self.images.part("train")),
            device=self.device,
        )

    def _folder_of(self, config: Config) -> Path:
        key = config.teacher_key()
        shared = key == self.config.teacher_key()
        return self.folder if shared else self.folder.with_name(f"{self.folder.name}-{key}")


def _run(
    record: RunRecord,
    images: ImageSet,
    architectures: Mapping[str, Mapping[str, object]],
    teacher_cache: _TeacherCache,
    listen: ProgressListener,
    device: torch.device | str,
    *,
    robust: bool,
) -> None:
    """Run the unfinished part of one run."""
    config, kind = record.config, record.row.kind
    own = network_label(config.network)
    unaugmented = partial(_name_network, listen, "without augmentation")
    needs_unaugmented = robust and not record.unaugmented
    if kind in ("random", "full"):
        if own not in record.networks:
            with record.timed("evaluating"):
                record.add(own, _evaluate_baseline(kind, images, config, listen, device))
        if needs_unaugmented:
            with record.timed("evaluating without augmentation"):
                plain = without_augmentation(config)
                figures = _evaluate_baseline(kind, images, plain, unaugmented, device)
                record.unaugmented = figures.to_dict()
        return
    if kind == "teacher":
        if own not in record.networks:
            buffer = teacher_cache.get(config, listen)
            with record.timed("evaluating"):
                record.add(own, evaluate_teachers(buffer, images, config, device=device))
        return
    networks = {own: config} | {
        label: config.override(settings)
        for label, settings in architectures.items()
        if kind == "distilled" and label != own
    }
    missing = [label for label in networks if label not in record.networks]
    if not missing and record.facts and not needs_unaugmented:
        return
    small_set = _make_set(record, images, teacher_cache, listen, device)
    for label in missing:
        # α was learned for the network of the run; another network needs its own rate.
        evaluate_set = evaluate if label == own else evaluate_across
        named = partial(_name_network, listen, label)
        with record.timed(f"evaluating {label}"):
            found = evaluate_set(
                small_set, images, networks[label], on_progress=named, device=device
            )
            record.add(label, found)
    if needs_unaugmented:
        with record.timed("evaluating without augmentation"):
            # α was learned with augmentation: without it every set needs its own rate.
            record.unaugmented = evaluate_across(
                small_set,
                images,
                without_augmentation(config),
                on_progress=unaugmented,
                device=device,
            ).to_dict()
    draw_image_grid(small_set).save(record.folder / "images.png")
    if kind == "distilled":
        draw_run(small_set, record.folder / "plots")
    record.facts = measure_run(small_set)
    record.save()


def _evaluate_baseline(
    kind: str,
    images: ImageSet,
    config: Config,
    listen: ProgressListener,
    device: torch.device | str,
) -> Evaluation:
    if kind == "random":
        return evaluate_random(images, config, on_progress=listen, device=device)
    rates = [float(f"{config.teacher.teacher_lr * factor:.2g}") for factor in _FACTORS]
    return evaluate_full(images, config, lrs=rates, on_progress=listen, device=device)


def _run_resnet50(
    record: RunRecord,
    images: ImageSet,
    weights: Path | None,
    listen: ProgressListener,
    device: torch.device | str,
) -> None:
    """Run a ``scratch`` or ``transfer`` row, unless it is done."""
    if RESNET50 in record.networks:
        return
    loaded = load_weights(weights) if record.row.kind == "transfer" else None
    with record.timed("evaluating"):
        evaluation = evaluate_resnet50(
            images, record.config, weights=loaded, on_progress=listen, device=device
        )
        record.add(RESNET50, evaluation)


def _name_network(listen: ProgressListener, label: str, progress: Progress) -> None:
    listen(replace(progress, phase=f"{progress.phase} {label}"))


def _make_set(
    record: RunRecord,
    images: ImageSet,
    teacher_cache: _TeacherCache,
    listen: ProgressListener,
    device: torch.device | str,
) -> DistilledDataset:
    """Read the small set of a run, or learn or select it where it does not exist yet."""
    path = record.folder / "distilled.safetensors"
    if path.exists():
        return DistilledDataset.from_bytes(path.read_bytes())
    if record.row.kind != "distilled":
        with record.timed("selecting"):
            small_set, search = _select(record, images, listen, device)
            record.lr_search = search.to_dict()
        write_atomically(path, small_set.to_bytes())
        return small_set
    checkpoint = path.with_suffix(".checkpoint")
    buffer = teacher_cache.get(record.config, listen)
    with record.timed("distilling"):
        small_set = distill(
            teacher_cache.images_for(record.config),
            buffer,
            record.config,
            on_progress=listen,
            checkpoint=checkpoint,
            device=device,
        )
    write_atomically(path, small_set.to_bytes())
    checkpoint.unlink(missing_ok=True)
    shutil.rmtree(record.folder / "plots", ignore_errors=True)
    return small_set


def _select(
    record: RunRecord, images: ImageSet, listen: ProgressListener, device: torch.device | str
) -> tuple[DistilledDataset, RateSearch]:
    train = images.part("train")
    if record.row.kind in ("start", "centres"):
        make = start_images if record.row.kind == "start" else centre_images
        return with_chosen_rate(
            images, *make(train, record.config), record.config, on_progress=listen, device=device
        )
    if record.row.kind == "subset":
        chosen = subset_rows(train, record.config)
        return as_small_set(images, chosen, record.config, on_progress=listen, device=device)
    chosen = select_images(
        train,
        record.row.kind,
        record.config.distillation.images_per_class,
        record.config,
        on_progress=listen,
        device=device,
    )
    return as_small_set(images, chosen, record.config, on_progress=listen, device=device)
