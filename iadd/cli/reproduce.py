"""The command ``iadd reproduce``, with a subcommand per study."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress as Bars

from iadd.cli import common
from iadd.cli.own_images import load_own
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.published_sets import read_published_set
from iadd.presets import PRESETS, PUBLISHED_SETS
from iadd.reproduce.attacks import attack_cells, attacks_by_row
from iadd.reproduce.figures import draw_figures, read_points
from iadd.reproduce.published import TABLE_1_FIGURES
from iadd.reproduce.report import write_report
from iadd.reproduce.run_record import RunRecord, StudyError
from iadd.reproduce.runner import StudyProgress, run_study
from iadd.reproduce.study import ARCHITECTURES, STUDIES, Row, Study, on_published_set
from iadd.reproduce.summary import summarise
from iadd.reproduce.tables import (
    architecture_cells,
    explain,
    fairness_cells,
    figure_cells,
    weight_cells,
)
from iadd.runtime.environment import describe_environment

reproduce = typer.Typer(
    no_args_is_help=True, help="Run a whole experiment of the paper, and print its table."
)

_DATA = {
    False: "Folder or archive with one folder of images per class.",
    True: "cifar-10-binary.tar.gz, cifar-100-binary.tar.gz or tiny-imagenet-200.zip as published, "
    "or the folder unpacked from it.",
}
"""By whether a study reads published sets."""

_PRESETS = {
    False: f"One of {', '.join(PRESETS)}.",
    True: f"One of {', '.join(PUBLISHED_SETS)}, or of the others; that of the set unless given.",
}
"""By whether a study reads published sets."""

Out = Annotated[
    Path, typer.Option("--out", help="Folder of the study; finished runs in it are not repeated.")
]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Distillations per row.")]
RowNames = Annotated[
    str, typer.Option("--rows", metavar="A,B", help="Only these rows; all unless given.")
]
MoreRows = Annotated[
    list[str],
    typer.Option("--row", metavar="NAME:SET=VALUE,…", help="One more row, with these settings."),
]
Networks = Annotated[
    str,
    typer.Option(
        "--networks",
        metavar="A,B",
        help=f"Try distilled sets on these too: {', '.join(ARCHITECTURES)}; none; "
        "the study's unless given.",
    ),
]
OwnSplit = Annotated[
    bool | None,
    typer.Option(
        "--own-split/--random-split",
        help="Whether the images came with their own split, where rows are attacked; read from the "
        "source unless given.",
        show_default=False,
    ),
]
Teachers = Annotated[
    Path | None,
    typer.Option("--teachers", help="Folder of the teachers, to share it; OUT/teachers if not."),
]


Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        help="File of ImageNet's weights of ResNet50 (resnet50-0676ba61.pth), for rows that "
        "transfer; torchvision loads or downloads them unless given.",
    ),
]


def _command(study: Study) -> Callable[..., None]:
    """Make the command of a study; every study takes the same options."""

    def run(
        data: Annotated[Path, typer.Option("--data", help=_DATA[study.reads_published_sets])],
        out: Out,
        preset: Annotated[
            str, typer.Option("--preset", help=_PRESETS[study.reads_published_sets])
        ] = study.preset,
        settings: common.Settings = [],  # noqa: B006 — typer reads the default, nothing changes it
        layout: common.Layout = None,
        seeds: Seeds = 1,
        rows: RowNames = "",
        more: MoreRows = [],  # noqa: B006
        networks: Networks = "",
        teachers: Teachers = None,
        weights: Weights = None,
        own_split: OwnSplit = None,
        device: common.Device = "auto",
        threads: common.Threads = 0,
    ) -> None:
        common.prepare(threads)
        # Runs differ much in length: the speed of the last hour is a better estimate than that of
        # the last half minute.
        with common.one_line_errors(), common.make_bars(speed_estimate_period=3600) as bars:
            chosen = _choose_rows(study, rows, more)
            where = common.choose_device(device)
            if study.reads_published_sets:
                data_read = _read_published(chosen, data, preset, settings)
                chosen = data_read.study
            else:
                data_read = _read_own(chosen, data, preset, settings, layout, own_split)
            images, config = data_read.images, data_read.config
            records = run_study(
                chosen,
                images,
                config,
                out=out,
                seeds=seeds,
                architectures=_choose_networks(study, networks),
                teachers=teachers,
                weights=weights,
                random_split=data_read.random_split,
                on_progress=_StudyBars(bars),
                device=where,
            )
            failed = [record for record in records if record.failure]
            lines = summarise(chosen, records)
            if not lines:
                raise StudyError(f"No run has figures. The first failed: {failed[0].failure}")
            environment = describe_environment(where, common.command_line())
            write_report(chosen, lines, images, config, environment, out, failed)
        common.console.print(common.to_rich(figure_cells(chosen, lines, brief=True)))
        common.console.print(common.to_rich(fairness_cells(chosen, lines)))
        if found := attacks_by_row(records):
            names = [line.row.name for line in lines]
            for figure in ("auc", "tpr"):
                cells = attack_cells(names, found, figure)
                common.console.print(common.to_rich(cells, title=figure.upper()))
        for note in explain(chosen, lines, images.classes, failed):
            common.console.print(note)
        for cells in (architecture_cells(lines, "accuracy"), weight_cells(lines)):
            if cells:
                common.console.print(common.to_rich(cells))
        common.console.print(f"table.md, results.json and every run in {out}")
        if failed:
            raise typer.Exit(1)

    return run


@reproduce.command("figures")
def figures(
    studies: Annotated[
        list[Path], typer.Argument(metavar="FOLDER…", help="Folders of finished studies.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures.")],
) -> None:
    """Draw finished studies: accuracy against images per class, and against minutes."""
    try:
        points = read_points(studies)
    except StudyError as error:
        common.console.print(str(error), style="red", highlight=False)
        raise typer.Exit(1) from error
    for path in draw_figures(points, out):
        common.console.print(str(path), highlight=False)


for _study in STUDIES.values():
    reproduce.command(_study.name, help=_study.about)(_command(_study))


@dataclass(frozen=True, eq=False)
class _Data:
    """What a study runs on, and its settings.

    Attributes:
        study: The study, with the published figures that belong to these images.
        images: Images of all splits.
        config: Settings that every row starts from.
        random_split: Whether chance decided the split.
    """

    study: Study
    images: ImageSet
    config: Config
    random_split: bool = True


def _read_own(
    study: Study,
    data: Path,
    preset: str,
    settings: list[str],
    layout: Path | None,
    own_split: bool | None,
) -> _Data:
    """Read X-rays."""
    config = common.read_config(preset, settings)
    if not study.attacked:
        return _Data(study, common.load(data, config.image_size, layout), config)
    own = load_own(data, config.image_size, layout)
    random_split = own.random_split if own_split is None else not own_split
    return _Data(study, own.images, config, random_split)


def _read_published(study: Study, data: Path, preset: str, settings: list[str]) -> _Data:
    """Read a published set; the paper's setting for it unless a preset is named."""
    found = read_published_set(data)
    config = common.read_config(preset or TABLE_1_FIGURES[found.name].preset, settings)
    size = found.images.images.shape[-1]
    if config.image_size != size:
        raise StudyError(
            f"The pictures of {found.name} have {size}×{size} pixels and are not resized: set "
            f"image_size={size}, or name no preset."
        )
    training = len(found.images) - len(found.images.part("test"))
    per_class = config.distillation.images_per_class
    return _Data(on_published_set(study, found.name, per_class, training), found.images, config)


def _choose_rows(study: Study, names: str, more: list[str]) -> Study:
    known = {row.name: row for row in study.rows}
    wanted = [name for name in names.split(",") if name] or list(known)
    for name in wanted:
        if name not in known:
            raise StudyError(f"There is no row {name!r}: there are {', '.join(known)}.")
    added = [_read_row(text) for text in more]
    for row in added:
        if row.name in known:
            raise StudyError(f"There is already a row {row.name!r}: choose another name.")
    return replace(study, rows=(*(known[name] for name in wanted), *added))


def _read_row(text: str) -> Row:
    name, separator, settings = text.partition(":")
    if not (separator and re.fullmatch(r"[\w.+-]+", name)):
        raise StudyError(
            f"{text!r} is not NAME:SET=VALUE,…: a name is letters, digits and any of . + - _"
        )
    # A comma within a list of values is not followed by NAME=.
    changes = common.read_settings(re.split(r",(?=\w+=)", settings)) if settings else {}
    return Row(name=name, settings=changes, note=settings)


def _choose_networks(study: Study, names: str) -> tuple[str, ...]:
    if names == "none":
        return ()
    return tuple(name for name in names.split(",") if name) or study.architectures


class _StudyBars:
    """Shows a bar for the study, one for the current run, and a line for every finished run."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._study = bars.add_task("runs", total=None, numbers="")
        self._phase = bars.add_task("", total=None, numbers="", visible=False)
        self._shown = ""

    def __call__(self, report: StudyProgress) -> None:
        self._bars.update(self._study, completed=report.done, total=report.runs)
        if report.record is not None:
            line = f"{report.done}/{report.runs} {report.run}: {_format_figures(report.record)}"
            self._bars.console.print(line, markup=False, highlight=False)
        if report.progress is None:
            return
        progress = report.progress
        if progress.message:
            self._bars.console.print(
                f"{report.run}: {progress.message}", markup=False, highlight=False
            )
        described = f"{report.run}: {progress.phase}"
        if described != self._shown:
            self._shown = described
            self._bars.reset(
                self._phase, description=described, total=progress.total, visible=True, numbers=""
            )
        changes: dict[str, Any] = (
            {"numbers": common.format_metrics(progress)} if progress.metrics else {}
        )
        self._bars.update(self._phase, completed=progress.done, total=progress.total, **changes)


def _format_figures(record: RunRecord) -> str:
    if record.failure:
        return f"no figures. {record.failure}"
    figures = (
        (network, spreads["balanced_accuracy"]) for network, spreads in record.networks.items()
    )
    formatted = ", ".join(
        f"{name} {figure['mean']:.3f} ± {figure['std']:.3f}" for name, figure in figures
    )
    return f"balanced accuracy {formatted} ({sum(record.seconds.values()):,.0f} s)"
