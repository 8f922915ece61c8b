"""The command ``iadd evaluate``."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from iadd.bundle.bundle import open_bundle
from iadd.cli import common
from iadd.cli.class_maps import ClassMaps, Yes, confirm_class_maps
from iadd.data.image_set import ImageSet
from iadd.evaluation.evaluator import evaluate as run_evaluate
from iadd.evaluation.evaluator import (
    evaluate_across,
    evaluate_full,
    evaluate_random,
    evaluate_start,
)
from iadd.evaluation.metrics import Evaluation
from iadd.evaluation.robustness import (
    augmentation_robust_score,
    label_robust_score,
    without_augmentation,
)
from iadd.runtime.checkpoint import write_atomically
from iadd.runtime.json import to_strict_json
from iadd.sharing.external_validation import score_release
from iadd.sharing.received import Received

ReadImages = Callable[[int], ImageSet]
"""Reads the images of the source at a size."""


def evaluate(
    source: common.Source,
    distilled: Annotated[
        Path | None, typer.Option(help="Your own distilled set, or its bundle.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Another hospital's release, for an external validation score."),
    ] = None,
    baselines: Annotated[
        bool | None,
        typer.Option(
            "--baselines/--no-baselines",
            help="Evaluate random real images, the full set and the set's cross_networks too; the "
            "default for --distilled.",
            show_default=False,
        ),
    ] = None,
    robust: Annotated[
        bool,
        typer.Option(
            "--robust",
            help="Evaluate --distilled and its baselines without augmentation too, and print "
            "DD-Ranking's scores.",
        ),
    ] = False,
    class_maps: ClassMaps = [],  # noqa: B006 — typer reads the default, nothing changes it
    yes: Yes = False,
    out: Annotated[
        Path | None, typer.Option("--out", "--json", help="Write all figures there (JSON).")
    ] = None,
    device: common.Device = "auto",
    layout: common.Layout = None,
    threads: common.Threads = 0,
) -> None:
    """Train networks on a distilled set or a received bundle and test them on real images."""
    images_of = partial(common.load, source, layout=layout)
    with common.one_line_errors():
        if bundle and not distilled:
            if baselines or robust:
                raise ValueError(
                    "An external validation score covers the release alone; `iadd train --bundle "
                    "… --data …` compares it with your own images."
                )
            _score(images_of, bundle, class_maps, out, device, threads, yes=yes)
        elif distilled and not bundle:
            if class_maps or yes:
                raise ValueError(
                    "--class-map and --yes are for a received --bundle; your own distilled set has "
                    "your classes."
                )
            if robust and baselines is False:
                raise ValueError("--robust compares with the baselines: leave out --no-baselines.")
            _evaluate(
                images_of,
                distilled,
                out,
                device,
                threads,
                baselines=baselines is not False,
                robust=robust,
            )
        else:
            raise ValueError(
                "Give one: --distilled, your own set, or --bundle, another hospital's release."
            )


def _evaluate(
    images_of: ReadImages,
    path: Path,
    out: Path | None,
    device: str,
    threads: int,
    *,
    baselines: bool,
    robust: bool,
) -> None:
    """Evaluate a distilled set beside its baselines."""
    rows: dict[str, Evaluation] = {}
    unaugmented: dict[str, Evaluation] = {}
    across: dict[str, dict[str, Evaluation]] = {}
    with common.session(threads) as listener:
        learned = common.load_distilled(path)
        images = images_of(learned.config.image_size)
        common.check_classes(learned, images)
        where = common.choose_device(device)
        rows["distilled"] = run_evaluate(
            learned, images, learned.config, on_progress=listener, device=where
        )
        if baselines:
            if learned.initial_images is not None:
                rows["start"] = evaluate_start(
                    learned, images, learned.config, on_progress=listener, device=where
                )
            rows["random"] = evaluate_random(
                images, learned.config, on_progress=listener, device=where
            )
            rows["full"] = evaluate_full(images, learned.config, on_progress=listener, device=where)
            for network in learned.config.other_networks():
                other = learned.config.across(network)
                across[network] = {
                    "distilled": evaluate_across(
                        learned, images, other, on_progress=listener, device=where
                    ),
                    "random": evaluate_random(images, other, on_progress=listener, device=where),
                }
        if robust:
            plain = without_augmentation(learned.config)
            unaugmented["distilled"] = evaluate_across(
                learned, images, plain, on_progress=listener, device=where
            )
            unaugmented["random"] = evaluate_random(
                images, plain, on_progress=listener, device=where
            )
            unaugmented["full"] = evaluate_full(images, plain, on_progress=listener, device=where)
    _print_table(rows)
    scores: dict[str, float] = {}
    if unaugmented:
        _print_table(unaugmented, title="without augmentation")
        scores = _robust_scores(rows, unaugmented)
        common.console.print(
            f"DD-Ranking (arXiv 2505.13300), from accuracies: label-robust score "
            f"{scores['lrs']:.3f}, augmentation-robust score {scores['ars']:.3f}; as good as "
            "random images is 0.269.",
            highlight=False,
        )
    for title, others in across.items():
        _print_table(others, title=f"with {title}")
    if out:
        document: dict[str, Any] = _figures(rows)
        if unaugmented:
            document |= {"without_augmentation": _figures(unaugmented), "dd_ranking": scores}
        if across:
            document["networks"] = {name: _figures(others) for name, others in across.items()}
        write_atomically(out, to_strict_json(document))


def _robust_scores(
    rows: dict[str, Evaluation], unaugmented: dict[str, Evaluation]
) -> dict[str, float]:
    full, distilled, random = (
        float(rows[name].spread("accuracy")["mean"]) for name in ("full", "distilled", "random")
    )
    distilled_unaugmented, random_unaugmented = (
        float(unaugmented[name].spread("accuracy")["mean"]) for name in ("distilled", "random")
    )
    return {
        "lrs": label_robust_score(full=full, distilled=distilled, random=random),
        "ars": augmentation_robust_score(
            distilled=distilled,
            random=random,
            distilled_unaugmented=distilled_unaugmented,
            random_unaugmented=random_unaugmented,
        ),
    }


def _figures(rows: dict[str, Evaluation]) -> dict[str, Any]:
    return {name: evaluation.to_dict() for name, evaluation in rows.items()}


def _score(
    images_of: ReadImages,
    path: Path,
    class_maps: list[str],
    out: Path | None,
    device: str,
    threads: int,
    *,
    yes: bool,
) -> None:
    """Score another hospital's release on your test images."""
    opened = open_bundle(path)
    release = opened.distilled
    images = images_of(release.config.image_size)
    (class_map,) = confirm_class_maps(
        [path.name], [release.classes], images.classes, class_maps, yes=yes
    )
    with common.session(threads) as listener:
        score = score_release(
            Received(release, class_map, opened.fingerprint),
            images,
            fingerprint=opened.fingerprint,
            on_progress=listener,
            device=common.choose_device(device),
        )
    _print_table({"the release": score.evaluation})
    tested = ", ".join(f"{name} {count:,}" for name, count in score.test_images.items())
    common.console.print(f"Your test images: {tested}.", markup=False, highlight=False)
    if score.left_out:
        left = ", ".join(score.left_out)
        common.console.print(f"Not in the release: {left}.", markup=False, highlight=False)
    common.console.print(f"Release {opened.fingerprint}", highlight=False)
    if out:
        write_atomically(out, to_strict_json(score.to_dict()))
        common.console.print(
            f"The score is in {out}: only figures and counts, for you to return.", markup=False
        )


def _print_table(rows: dict[str, Evaluation], *, title: str | None = None) -> None:
    names = ("balanced_accuracy", "accuracy", "macro_f1", "auroc")
    cells = [["trained on", "images", *(name.replace("_", " ") for name in names), "lr"]]
    for row, evaluation in rows.items():
        spreads = [evaluation.spread(name) for name in names]
        cells.append(
            [
                row,
                f"{evaluation.training_images:,}",
                *(f"{s['mean']:.3f} ± {s['std']:.3f}" for s in spreads),
                _format_rate(evaluation),
            ]
        )
    common.console.print(common.to_rich(cells, title=title))


def _format_rate(evaluation: Evaluation) -> str:
    at_end = evaluation.search is not None and evaluation.search.at_end
    return f"{evaluation.lr:.4g}{' (end)' if at_end else ''}"
