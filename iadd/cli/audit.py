"""The command ``iadd audit``: attacks a received release, or one's own distilled set."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from iadd.bundle.bundle import Bundle, open_bundle
from iadd.cli import common
from iadd.cli.class_maps import ClassMaps, Yes, confirm_class_maps
from iadd.cli.own_images import OwnImages, load_own
from iadd.cli.private_seed import keep_private_seed, private_seed_path, read_private_seed
from iadd.config import Config, ConfigError
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.presets import AUDITS
from iadd.privacy import audit as run_audit
from iadd.privacy.candidates import (
    AVERAGED,
    FALSE_ALARMS,
    FEWEST,
    CandidateReport,
    attack_with_candidates,
)
from iadd.privacy.membership import (
    Membership,
    attack_shipped_run,
    decide,
    plan_audit,
    run_twins,
)
from iadd.privacy.report import PrivacyReport
from iadd.runtime.checkpoint import write_atomically
from iadd.runtime.json import to_strict_json
from iadd.runtime.progress import Progress, ProgressListener
from iadd.sharing.received import Received, in_classes

_SHOWN = 10

AuditName = StrEnum("AuditName", {name: name for name in AUDITS})  # type: ignore[misc]
"""Named sizes of an audit."""


def audit(
    distilled: Annotated[
        Path,
        typer.Argument(help="A received bundle (.zip), or your own distilled set (.safetensors)."),
    ],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            help="For a bundle, your candidates; for your own set, the images it was made from.",
        ),
    ],
    class_maps: ClassMaps = [],  # noqa: B006 — typer reads the default, nothing changes it
    yes: Yes = False,
    size: Annotated[
        AuditName | None,
        typer.Option("--audit", help="How often your own run is repeated.", show_default=False),
    ] = None,
    runs: Annotated[
        str,
        typer.Option(
            "--runs",
            metavar="C+T",
            help="Or as numbers: C repetitions to calibrate attacks, T to test them.",
        ),
    ] = "",
    teachers: Annotated[
        Path | None,
        typer.Option(help="Folder that `iadd teach` wrote: its private seed names the starts."),
    ] = None,
    own_split: Annotated[
        bool | None,
        typer.Option(
            "--own-split/--random-split",
            help="Whether the images came with their own split; read from the source unless given.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the repetitions; a later call resumes there.")
    ] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="Write all figures there.")] = None,
    layout: common.Layout = None,
    device: common.Device = "auto",
    threads: common.Threads = 0,
) -> None:
    """Attack a received release with your own pictures, or audit your own set before it leaves.

    With a bundle, each of your pictures is compared with the release, and those that stand out are
    named. Nothing leaves this computer. A picture that stands out is no proof that it was used, and
    one that does not may have been used all the same.

    With your own set, all metrics and attacks are run that a portal runs; --audit or --runs repeats
    the whole distillation, which finds smaller leaks and takes as many times as long.
    """
    with common.one_line_errors():
        is_bundle = distilled.suffix == ".zip"
        if is_bundle and (size or runs or teachers or out):
            raise ConfigError(
                "--audit, --runs, --teachers and --out are for your own distilled set; a received "
                "bundle is attacked as it is."
            )
        if not is_bundle and (class_maps or yes):
            raise ConfigError(
                "--class-map and --yes are for a received bundle; your own set has your classes."
            )
        if is_bundle:
            opened = open_bundle(distilled)
            own = load_own(data, opened.distilled.config.image_size, layout)
            in_own_classes = _in_own_classes(
                opened, distilled.name, own.images, class_maps, yes=yes
            )
        else:
            learned = DistilledDataset.from_bytes(distilled.read_bytes())
            config = _sized(learned.config, size, runs)
            if config.audit.audit_test_runs and out is None:
                raise ConfigError("Give --out FOLDER, where repetitions are kept and resumed.")
            own = load_own(data, config.image_size, layout)
            common.check_classes(learned, own.images)
    if is_bundle:
        with common.session(threads) as listener:
            found = attack_with_candidates(in_own_classes, own.images, on_progress=listener)
        _show_candidates(found, own.names)
        if figures:
            document = _candidate_document(found, own.names, opened.fingerprint)
            write_atomically(figures, to_strict_json(document))
            common.console.print(
                f"{figures} names your files: it is for you, not for the sender.", markup=False
            )
        return
    random_split = own.random_split if own_split is None else not own_split
    with common.session(threads) as listener:
        whole = _audit_own(
            replace(learned, config=_with_secret(config, teachers)),
            own,
            random_split=random_split,
            out=out,
            listener=listener,
            device=device,
        )
    _show_report(whole)
    if figures:
        write_atomically(figures, to_strict_json(whole.to_dict()))
        common.console.print(f"All figures in {figures}", markup=False)
    if whole.verdict == "refuted":
        raise typer.Exit(2)


def _in_own_classes(
    opened: Bundle, name: str, images: ImageSet, class_maps: list[str], *, yes: bool
) -> DistilledDataset:
    theirs = opened.distilled
    (class_map,) = confirm_class_maps([name], [theirs.classes], images.classes, class_maps, yes=yes)
    return in_classes(Received(theirs, class_map, opened.fingerprint), images.classes)


def _sized(config: Config, size: AuditName | None, runs: str) -> Config:
    """Return the settings with the number of repetitions that the command line asks for."""
    if size and runs:
        raise ConfigError("Give --audit or --runs: both say how often the run is repeated.")
    if size:
        return config.override(AUDITS[size.value]["settings"])
    if not runs:
        return config.override(AUDITS["audit_free"]["settings"])
    numbers = re.fullmatch(r"(\d{1,3})\+(\d{1,3})", runs)
    if numbers is None or int(numbers[1]) < 2:
        raise ConfigError(
            f"--runs is {runs!r}: write C+T, as 4+4, with at least two runs to calibrate on."
        )
    return config.override(
        {"audit_calibration_runs": int(numbers[1]), "audit_test_runs": int(numbers[2])}
    )


def _with_secret(config: Config, teachers: Path | None) -> Config:
    """Return the settings with the private seed of the teachers, which tells the starts."""
    if teachers is None:
        return config
    return config.with_private_seed(read_private_seed(private_seed_path(teachers)))


def _audit_own(
    learned: DistilledDataset,
    own: OwnImages,
    *,
    random_split: bool,
    out: Path | None,
    listener: ProgressListener,
    device: str,
) -> PrivacyReport:
    """Attack the set itself, repeat the run where that was asked for, and run all metrics."""
    config, images, where = learned.config, own.images, common.choose_device(device)
    limit = config.audit.audit_leak_limit
    # The coins of the repetitions follow from it: a later call has to toss the same.
    secret = keep_private_seed(out / "private_seed") if out else secrets.randbits(128)
    attacked = [
        attack_shipped_run(
            learned,
            images,
            secret=secret,
            random_split=random_split,
            limit=limit,
            on_progress=listener,
            device=where,
        )
    ]
    plan = plan_audit(images, config)
    if out is not None and plan.test_runs:
        twins = run_twins(
            images,
            config.with_private_seed(None),
            range(plan.calibration_runs + plan.test_runs),
            secret=secret,
            scratch=out / "twins",
            on_progress=listener,
            device=where,
        )
        attacked.append(decide(twins, plan, limit=limit))
    elif config.audit.audit_test_runs:
        reason = (
            "The run was not repeated: what a run under privacy dp reveals is bounded by its proof."
            if config.protection.privacy == "dp"
            else f"The run was not repeated: {plan.units} audit units are too few (a fifth of the "
            "training units, near-duplicates counted once)."
        )
        attacked.append(Membership(attacks=(), power=None, explanation=reason))
    for one in attacked:
        listener(_said(one))
    return run_audit(learned, images, membership=attacked, on_progress=listener)


def _said(membership: Membership) -> Progress:
    return Progress(phase="auditing", done=0, total=1, unit="parts", message=membership.explanation)


def _show_candidates(report: CandidateReport, names: Sequence[str]) -> None:
    """Print the candidates that are most like the release, and what that means."""
    cells = [["your picture", "class", "near-copy p", "filter p", "nearest image", "stands out"]]
    cells += [
        [
            names[finding.row],
            finding.class_name,
            f"{finding.near_copy_p:.3f}",
            f"{finding.matched_filter_p:.3f}",
            str(finding.nearest_image + 1),
            "yes" if finding.stands_out else "",
        ]
        for finding in report.findings[: max(_SHOWN, len(report.standing_out))]
    ]
    table = common.to_rich([[escape(cell) for cell in row] for row in cells])
    common.console.print(table)
    for line in _explain_candidates(report):
        common.console.print(line, markup=False, highlight=False)


def _explain_candidates(report: CandidateReport) -> list[str]:
    """Say what was found, what the attack could have found, and what it cannot."""
    count, compared = len(report.standing_out), sum(report.compared.values())
    lines = [
        f"{count} of your {compared:,} pictures {'stands' if count == 1 else 'stand'} out from the "
        "others of the same class."
    ]
    if count:
        lines.append(
            "That is no proof that they were used: a picture can stand out because it, or one much "
            "like it, was used, or by chance, which happens in at most "
            f"{FALSE_ALARMS:.0%} of such attacks. Ask the sender."
        )
    for one in report.planted:
        if one.planted:
            low, high = one.interval
            lines.append(
                f"Power, tried on your own pictures: of {one.planted} hidden in the release as "
                f"{one.title}, {one.found} stood out ({low:.0%} to {high:.0%})."
            )
    if report.too_few:
        lines.append(
            f"Too few pictures to tell ({FEWEST} are needed): {', '.join(report.too_few)}."
        )
    lines.append(
        "Not covered: pictures that are not among yours; a release made of means of more than "
        f"{AVERAGED} pictures, or changed much since; attacks that train networks. A picture that "
        "does not stand out may have been used. A p-value is the chance that an unrelated "
        "picture is at least as like the release, judged by your other pictures."
    )
    return lines


def _candidate_document(
    report: CandidateReport, names: Sequence[str], fingerprint: str
) -> dict[str, Any]:
    rows = []
    for finding in report.findings:
        row = asdict(finding)
        row["file"] = names[row.pop("row")]
        row["nearest_image"] += 1
        rows.append(row)
    return {
        "format": 1,
        "release": fingerprint,
        "compared": report.compared,
        "too_few": list(report.too_few),
        "standing_out": len(report.standing_out),
        "power": [{**asdict(one), "interval": list(one.interval)} for one in report.planted],
        "explanation": _explain_candidates(report),
        "candidates": rows,
    }


def _show_report(report: PrivacyReport) -> None:
    metrics = [["metric", "value", "outcome"]]
    for metric in report.metrics:
        value = "" if metric.value is None else f"{metric.value:.4g}"
        metrics.append([metric.title, value, metric.outcome.replace("_", " ")])
    common.console.print(common.to_rich(metrics))
    if report.attacks:
        cells = [["attack", "units", "AUC", "TPR at 1%", "95%", "outcome"]]
        for attack in report.attacks:
            low, high = attack.tpr_interval
            cells.append(
                [
                    attack.title,
                    attack.stratum,
                    f"{attack.auc:.3f}",
                    f"{attack.tpr:.1%}",
                    f"{low:.1%} to {high:.1%}",
                    attack.outcome.replace("_", " "),
                ]
            )
        common.console.print(common.to_rich([[escape(cell) for cell in row] for row in cells]))
    if report.power is not None:
        power = report.power
        common.console.print(
            f"Power: a leak of {power.tpr:.1%} of the {power.unit}s at {power.fpr:.0%} false "
            f"alarms would have been found in {power.chance:.0%} of such audits "
            f"({power.runs} runs of {power.units:,} units).",
            highlight=False,
        )
    common.console.print(f"{report.verdict.replace('_', ' ')}: {report.statement}", markup=False)
