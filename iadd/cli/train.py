"""The command ``iadd train``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from iadd.bundle.bundle import Bundle, open_bundle
from iadd.cli import common
from iadd.cli.class_maps import ClassMaps, Yes, confirm_class_maps
from iadd.data.image_set import ImageSet
from iadd.runtime.checkpoint import write_atomically
from iadd.runtime.environment import describe_environment
from iadd.runtime.json import to_strict_json
from iadd.sharing.compare import compare, settings_for, train_received
from iadd.sharing.comparison_table import Comparison
from iadd.sharing.received import Received
from iadd.training.saved_network import TrainedNetwork


def train(
    bundles: Annotated[
        list[Path], typer.Option("--bundle", help="A received bundle; may be given several times.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Your own images: folder or archive with one folder per class."),
    ] = None,
    class_maps: ClassMaps = [],  # noqa: B006 — typer reads the default, nothing changes it
    yes: Yes = False,
    own_per_class: Annotated[
        int | None,
        typer.Option(
            min=0, help="Own images of each class to train on; all unless given, 0 for none."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the table there (JSON).")] = None,
    network: Annotated[
        Path | None,
        typer.Option(help="Write a network trained on all images there (safetensors)."),
    ] = None,
    settings: Annotated[
        list[str],
        typer.Option("--set", metavar="NAME=VALUE", help="Change a setting of the first bundle."),
    ] = [],  # noqa: B006
    device: common.Device = "auto",
    layout: common.Layout = None,
    threads: common.Threads = 0,
) -> None:
    """Train on what others shared, with own images or without, and test on own images."""
    with common.one_line_errors():
        if data is None and (network is None or out is not None or own_per_class is not None):
            raise ValueError(
                "Without --data there is nothing to test on: give your images, or --network FILE "
                "alone, to train on the bundles and keep the network."
            )
        opened = [open_bundle(path) for path in bundles]
        changes = common.read_settings(settings)
        config = opened[0].distilled.config.override(changes)
        images = common.load(data, config.image_size, layout) if data else None
        received = _confirm(bundles, opened, images, class_maps, yes=yes)
    where = common.choose_device(device)
    if images is None:
        with common.session(threads) as listener:
            trained = train_received(
                received,
                opened[0].distilled.classes,
                config,
                on_progress=listener,
                device=where,
            )
        _keep(network, trained)
        return
    kept: dict[str, TrainedNetwork] = {}

    def keep(row: str, number: int, trained: TrainedNetwork) -> None:
        if number == 0:
            kept[row] = trained

    with common.session(threads) as listener:
        comparison = compare(
            received,
            images,
            settings_for(received, images, changes, own_per_class=own_per_class),
            own_per_class=own_per_class,
            on_trained=keep if network else None,
            on_progress=listener,
            device=where,
        )
    common.console.print(common.to_rich(comparison.cells()))
    for note in comparison.notes():
        common.console.print(note, markup=False, highlight=False)
    if out:
        write_atomically(out, to_strict_json(_document(comparison, str(where))))
        common.console.print(f"All figures in {out}", markup=False)
    if network:
        _keep(network, kept[list(comparison.rows)[-1]])


def _confirm(
    bundles: list[Path],
    opened: list[Bundle],
    images: ImageSet | None,
    class_maps: list[str],
    *,
    yes: bool,
) -> list[Received]:
    theirs = [bundle.distilled.classes for bundle in opened]
    names = [path.name for path in bundles]
    if images is not None:
        ours = images.classes
    else:
        # Without own images, the classes are those of the first bundle, and need no confirmation.
        ours = theirs[0]
        class_maps = [*(f"1:{name}={name}" for name in ours), *class_maps]
    maps = confirm_class_maps(names, theirs, ours, class_maps, yes=yes)
    return [
        Received(bundle.distilled, class_map, bundle.fingerprint)
        for bundle, class_map in zip(opened, maps, strict=True)
    ]


def _document(comparison: Comparison, device: str) -> dict[str, object]:
    return {
        "format": 1,
        **comparison.to_dict(),
        "environment": describe_environment(device, common.command_line()),
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _keep(path: Path | None, trained: TrainedNetwork) -> None:
    if path is None:
        return
    write_atomically(path, trained.to_bytes())
    common.console.print(f"A network for {', '.join(trained.classes)} in {path}", markup=False)
