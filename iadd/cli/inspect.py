"""The command ``iadd inspect``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from iadd.cli import common
from iadd.privacy.poisoning.inspection import NETWORKS
from iadd.privacy.poisoning.inspection import inspect as run_inspect
from iadd.privacy.poisoning.report import NOT_COVERED, PoisonReport
from iadd.privacy.poisoning.triggers import STEPS
from iadd.runtime.checkpoint import write_atomically
from iadd.runtime.json import to_strict_json


def inspect(
    bundle: Annotated[Path, typer.Argument(help="Received bundle, or a distilled set.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Your own images, to try triggers on; any classes."),
    ] = None,
    networks: Annotated[
        int, typer.Option(min=1, max=20, help="Networks to train on the set.")
    ] = NETWORKS,
    steps: Annotated[
        int, typer.Option(min=10, max=10_000, help="Steps of looking for a trigger, per class.")
    ] = STEPS,
    figures: Annotated[Path | None, typer.Option("--json", help="Write all figures there.")] = None,
    layout: common.Layout = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    """Look for planted triggers in a distilled set before you train on it.

    Exit code 0: nothing was found, which is no proof; 2: suspicious; 1: it could not be read.
    """
    with common.session(threads) as listener:
        distilled = common.load_distilled(bundle)
        own = common.load(data, distilled.config.image_size, layout) if data else None
        report = run_inspect(
            distilled,
            own=own,
            networks=networks,
            steps=steps,
            on_progress=listener,
            device=common.choose_device(device),
        )
    _show(report)
    if figures:
        write_atomically(figures, to_strict_json(report.to_dict()))
        common.console.print(f"All figures in {figures}", markup=False)
    if report.suspicious:
        raise typer.Exit(2)


def _show(report: PoisonReport) -> None:
    cells = [["test", "class", "value", "limit", "outcome"]]
    cells += [
        [
            test.title,
            escape(test.class_name) or "all",
            "" if test.value is None else f"{test.value:.2f}",
            f"{test.limit:.2f}",
            test.outcome.replace("_", " "),
        ]
        for test in report.tests
    ]
    common.console.print(common.to_rich(cells))
    for test in report.tests:
        if test.outcome == "not_run":
            of = f" of {test.class_name}" if test.class_name else ""
            common.console.print(f"{test.title}{of}: {test.explanation}", markup=False)
        elif test.images:
            numbers = ", ".join(str(number + 1) for number in test.images[:20])
            common.console.print(f"{test.title}: look at images {numbers}.", markup=False)
    common.console.print(report.statement, markup=False)
    common.console.print(f"Not covered: {NOT_COVERED}", markup=False)
