"""What sharing brings: two hospitals with disjoint halves of one set of images.

    python -m benchmarks.two_hospitals --data covid-radiography-112.zip --out two-hospitals

The images of every class and split are dealt to hospitals A and B by the seed, so that no image is
with both. Each distills its half and packs a bundle. Then

- a reader without images of its own receives A's bundle, B's, and both, and asks about the test
  images of both hospitals;
- hospital B receives A's bundle, and trains on some own images of each class, on the bundle, and on
  both; it asks about its own test images.

Unless told otherwise it takes the small setting of docs/results.md, for two cores: 56×56 pixels,
a ConvNetD4 of width 16, three images per class. What is done is kept in the folder and not done
again, so that an interrupted study goes on where it was. It leaves ``table.md``, ``results.json``
and both bundles.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import typer

from benchmarks.output import command
from iadd.bundle.bundle import open_bundle, write_bundle
from iadd.cli.common import choose_device, read_settings, session
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import SPLITS, ImageSet
from iadd.data.loading import load_images
from iadd.distillation.distill import distill
from iadd.evaluation.evaluator import evaluate
from iadd.presets import PRESETS
from iadd.reproduce.run_record import StudyError, keep_to_one_data_set
from iadd.reproduce.tables import Cells, to_markdown
from iadd.runtime.checkpoint import write_atomically
from iadd.runtime.environment import describe_environment
from iadd.runtime.json import to_strict_json
from iadd.runtime.progress import ProgressListener
from iadd.runtime.seed import make_generator
from iadd.sharing.compare import compare
from iadd.sharing.comparison_table import TITLES
from iadd.sharing.received import Received
from iadd.trajectories.record import record_trajectories

SMALL = {
    "image_size": 56,
    "depth": 4,
    "lr_img": 1000.0,
    "lr_weights": 1e-4,
    "teachers": 3,
    "iterations": 400,
}
"""The setting of docs/results.md: changes to ``cpu_small``, unless another preset is named."""

OWN_PER_CLASS = ("20", "100", "all")


@dataclass(frozen=True)
class Case:
    """One comparison of the study.

    Attributes:
        name: Of its file.
        who: Who trains, for people.
        hospital: Whose images are asked about: ``a``, ``b``, or ``both``.
        receives: Whose bundles are trained on.
        own_per_class: Own images of each class; None for all of them, 0 for none.
    """

    name: str
    who: str
    hospital: str
    receives: tuple[str, ...]
    own_per_class: int | None


def cases(receiving: Sequence[str], own: Sequence[str]) -> list[Case]:
    """The comparisons: a reader without images first, then each hospital that receives."""
    found = [
        Case(f"reader-receives-{'-and-'.join(sent)}", "a reader", "both", sent, 0)
        for sent in (("a",), ("b",), ("a", "b"))
    ]
    return found + [
        Case(
            f"{hospital}-receives-{_other(hospital)}-own-{count}",
            f"hospital {hospital.upper()}",
            hospital,
            (_other(hospital),),
            None if count == "all" else int(count),
        )
        for hospital in receiving
        for count in own
    ]


def _other(hospital: str) -> str:
    return "a" if hospital == "b" else "b"


def deal(images: ImageSet, seed: int) -> dict[str, ImageSet]:
    """Two hospitals' images: half of each class in each split, no image with both."""
    generator = make_generator(seed, "two hospitals")
    hands: dict[str, list[torch.Tensor]] = {"a": [], "b": []}
    for label in range(len(images.classes)):
        for split in range(len(SPLITS)):
            members = ((images.labels == label) & (images.split == split)).nonzero().squeeze(1)
            dealt = members[torch.randperm(len(members), generator=generator)]
            hands["a"].append(dealt[: len(dealt) // 2])
            hands["b"].append(dealt[len(dealt) // 2 :])
    halves = {}
    for name, parts in hands.items():
        chosen = torch.cat(parts).sort().values
        halves[name] = ImageSet(
            images.images[chosen], images.labels[chosen], images.classes, images.split[chosen]
        )
    return halves


def make_release(
    hospital: str,
    images: ImageSet,
    config: Config,
    folder: Path,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Path:
    """Teach, distill, evaluate at home and pack; whatever is there already is taken as it is.

    Returns:
        The bundle.
    """
    bundle = folder / "bundle.zip"
    if bundle.exists():
        return bundle
    path, checkpoint = folder / "distilled.safetensors", folder / "distilled.checkpoint"
    if path.exists():
        distilled = DistilledDataset.from_bytes(path.read_bytes())
    else:
        buffer = record_trajectories(
            images, config, out=folder / "teachers", on_progress=on_progress, device=device
        )
        distilled = distill(
            images,
            buffer,
            config,
            on_progress=on_progress,
            checkpoint=checkpoint,
            device=device,
        )
        write_atomically(path, distilled.to_bytes())
        checkpoint.unlink(missing_ok=True)
    figures = evaluate(distilled, images, config, on_progress=on_progress, device=device).to_dict()
    names = ("balanced_accuracy", "accuracy")
    unknown = {name: {"mean": None, "std": None, "n": 0} for name in names}
    report = {
        "dataset": {"name": f"Hospital {hospital.upper()}, half of a set of a study"},
        "versions": describe_environment(device, "")["versions"],
        "utility": {
            "distilled": {name: figures[name] for name in names},
            "random": unknown,
            "full": unknown,
        },
        "privacy": {
            "statement": "Not measured: these bundles are made for a study and stay in it."
        },
    }
    page = b"<!doctype html><title>A study</title><p>See metadata.json and report.json.</p>\n"
    write_bundle(bundle, distilled, report_html=page, report_json=report)
    return bundle


def run_case(
    case: Case,
    images: ImageSet,
    bundles: dict[str, Path],
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> dict[str, Any]:
    """One comparison, as :meth:`Comparison.to_dict` gives it."""
    same = {name: name for name in images.classes}
    received = [
        Received(open_bundle(bundles[name]).distilled, same, f"hospital {name.upper()}")
        for name in case.receives
    ]
    # A reader without images of its own has none to choose a rate by either.
    asked = images.part("test") if case.own_per_class == 0 else images
    found = compare(
        received, asked, own_per_class=case.own_per_class, on_progress=on_progress, device=device
    )
    return found.to_dict()


def run_study(
    images: ImageSet,
    config: Config,
    out: Path,
    chosen: Sequence[Case],
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> dict[str, dict[str, Any]]:
    """Run what is not done yet.

    Returns:
        Comparisons by the name of their case.

    Raises:
        StudyError: When the folder holds a study of other images or settings.
    """
    keep_to_one_data_set(out, images)
    _keep_to_one_setting(out, config)
    halves = {**deal(images, config.seed), "both": images}
    bundles = {
        name: make_release(
            name, halves[name], config, out / name, on_progress=on_progress, device=device
        )
        for name in ("a", "b")
    }
    found = {}
    for case in chosen:
        path = out / "comparisons" / f"{case.name}.json"
        if not path.exists():
            result = run_case(
                case, halves[case.hospital], bundles, on_progress=on_progress, device=device
            )
            write_atomically(path, to_strict_json(result))
        found[case.name] = json.loads(path.read_text())
    return found


def _keep_to_one_setting(out: Path, config: Config) -> None:
    path = out / "settings.json"
    if not path.exists():
        write_atomically(path, to_strict_json(config.to_dict()))
    elif Config.from_dict(json.loads(path.read_text())) != config:
        raise StudyError(f"{out} holds a study of other settings: choose another folder.")


def cells(chosen: Sequence[Case], found: dict[str, dict[str, Any]]) -> Cells:
    """The table, heading first."""
    return [
        [
            *("who", "receives", "own per class", "trained on", "images", "balanced accuracy"),
            *("accuracy", "AUROC", "steps", "rate", "received share"),
        ],
        *(row for case in chosen for row in _rows(case, found[case.name])),
    ]


def _rows(case: Case, comparison: dict[str, Any]) -> Iterator[list[str]]:
    own = "all" if case.own_per_class is None else str(case.own_per_class)
    for name, row in comparison["rows"].items():
        yield [
            *(case.who, " + ".join(sent.upper() for sent in case.receives), own, TITLES[name]),
            f"{row['own_images'] + row['received_images']:,}",
            *(_spread(row[figure]) for figure in ("balanced_accuracy", "accuracy", "auroc")),
            f"{comparison['steps']:,}",
            f"{row['lr']:.4g}",
            f"{row['share']:g}",
        ]


def _spread(figure: dict[str, float]) -> str:
    return f"{figure['mean']:.3f} ± {figure['std']:.3f}"


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.two_hospitals",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder or archive of images")
    parser.add_argument("--out", type=Path, required=True, help="folder of the study")
    parser.add_argument("--preset", choices=sorted(PRESETS), help="instead of the small setting")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--own", nargs="+", default=OWN_PER_CLASS, help="own images of each class, or all"
    )
    parser.add_argument("--receiving", nargs="+", choices=["a", "b"], default=["b"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(words)
    for count in given.own:
        if count != "all" and not (count.isdigit() and int(count) > 0):
            parser.error(f"--own {count}: a number above 0, or all")
    return given


def settings_of(given: argparse.Namespace) -> Config:
    """The preset, or the small setting, with the changes of the command line."""
    small = PRESETS["cpu_small"]().override(SMALL)
    start = PRESETS[given.preset]() if given.preset else small
    return start.override(read_settings(given.set))


def main(words: Sequence[str] | None = None) -> None:
    given = read_arguments(sys.argv[1:] if words is None else words)
    chosen = cases(given.receiving, given.own)
    try:
        with session(given.threads) as listener:
            config = settings_of(given)
            device = choose_device(given.device)
            images = load_images(given.data, config.image_size)
            found = run_study(
                images, config, given.out, chosen, on_progress=listener, device=device
            )
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    environment = describe_environment(device, command())
    table = to_markdown(cells(chosen, found))
    says = (
        f"{config.evaluation.evaluation_networks} networks each, mean ± deviation. Rates and "
        "shares were chosen on the validation split of who trains.\n"
    )
    ran = f"`{environment['command']}`\n"
    write_atomically(given.out / "table.md", f"{table}\n{says}\n{ran}".encode())
    write_atomically(
        given.out / "results.json",
        to_strict_json({"comparisons": found, "environment": environment}),
    )
    print(table, says, ran, sep="\n")


if __name__ == "__main__":
    main()
