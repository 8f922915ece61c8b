"""Run every benchmark and write a dated page.

    python -m benchmarks.page [--only matching …] [--out benchmarks/pages]

A benchmark that fails or is missing is on the page as such, and the exit status is 1. Run it on a
machine that does nothing else.
"""

import argparse
import datetime
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.roofline import describe_machine

BENCHMARKS: dict[str, list[str]] = {
    "allocator": ["benchmarks.allocator", "--json"],
    "matching": ["benchmarks.matching", "--json"],
    "paper-case": ["benchmarks.matching", "--paper-case", "--json"],
    "teachers": ["benchmarks.teachers", "--json"],
    "evaluation": ["benchmarks.evaluation", "--json"],
    "forecast": ["benchmarks.forecast", "--json"],
}
"""What runs, in this order."""

MOST_SECONDS = 1800
"""A benchmark that takes longer has failed."""

_TAIL = 1500


@dataclass(frozen=True)
class Outcome:
    """Of one benchmark: the object that it printed, or what went wrong."""

    name: str
    command: str
    result: dict[str, Any] | None
    problem: str = ""


def run(name: str, arguments: Sequence[str]) -> Outcome:
    """Run a benchmark in a process of its own."""
    command = " ".join(["python", "-m", *arguments])
    if importlib.util.find_spec(arguments[0]) is None:
        return Outcome(name, command, None, f"There is no {arguments[0]}.")
    try:
        finished = subprocess.run(
            [sys.executable, "-m", *arguments],
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(name, command, None, f"It took longer than {MOST_SECONDS} s.")
    if finished.returncode != 0:
        return Outcome(name, command, None, finished.stderr.strip()[-_TAIL:] or "No message.")
    try:
        return Outcome(name, command, json.loads(finished.stdout))
    except json.JSONDecodeError:
        return Outcome(name, command, None, f"It printed no JSON: {finished.stdout[-_TAIL:]}")


def write_page(outcomes: Sequence[Outcome], machine: dict[str, Any], today: str) -> str:
    """The page, in Markdown."""
    lines = [f"# Benchmarks, {today}", "", *_table(machine.items(), "machine", ""), ""]
    failed = [outcome.name for outcome in outcomes if outcome.result is None]
    if failed:
        lines += [f"**Failed: {', '.join(failed)}.**", ""]
    for outcome in outcomes:
        lines += [f"## {outcome.name}", "", f"`{outcome.command}`", ""]
        if outcome.result is None:
            lines += ["It failed:", "", "```", outcome.problem, "```", ""]
            continue
        if outcome.name == "matching":
            lines += [say_what_bounds(outcome.result), ""]
        numbers = {k: v for k, v in outcome.result.items() if k not in ("machine", "settings")}
        lines += [*_table(_flat(numbers), "measured", "value"), ""]
    return "\n".join(lines)


def say_what_bounds(result: dict[str, Any]) -> str:
    """How fast the matching step is, and what keeps it from being faster, from its numbers."""
    steps = result["seconds_per_step"]
    flops = result["operations_per_step"]
    peak = max(result["peaks"].values())
    at_peak = flops["ours"] / peak
    return (
        f"A step takes {steps[result['unrolled']]:.3g} s unrolled and "
        f"{steps[result['ours']]:.3g} s by ours: {result['speedup']:.2f} times as fast. Ours has "
        f"{flops['ours'] / 1e9:.4g} GFLOP to do, the unrolled one "
        f"{flops['unrolled'] / 1e9:.4g}: the more is the price of memory that does not grow "
        f"with J. At the {peak / 1e9:.4g} GFLOP/s that the device reached in this run, ours takes "
        f"{at_peak:.3g} s at least, so that no arrangement of these convolutions could be more "
        f"than {result['speedup_bound']:.2f} times as fast as the unrolled one was; it runs at "
        f"{100 * result['fraction_of_peak']:.0f} % of that peak, the unrolled one at "
        f"{100 * result['unrolled_fraction_of_peak']:.0f} %."
    )


def file_name(machine: dict[str, Any], today: str) -> str:
    """``YYYY-MM-DD-<machine>.md``."""
    words = machine["gpu"] or f"{machine['cpu']} {machine['cores']} cores"
    return f"{today}-{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')}.md"


def _table(rows: Any, left: str, right: str) -> list[str]:
    head = [f"| {left} | {right} |", "|---|---|"]
    return head + [f"| {name} | {_shown(value)} |" for name, value in rows]


def _flat(value: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{before}{name}.")
        else:
            yield f"{before}{name}", inner


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(_shown(member) for member in value)
    return str(value).replace("|", "\\|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pages")
    given = parser.parse_args()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = describe_machine("cuda" if torch.cuda.is_available() else "cpu")
    outcomes = []
    for name in given.only:
        print(f"{name} …", flush=True)
        outcomes.append(run(name, BENCHMARKS[name]))
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / file_name(machine, today)
    path.write_text(write_page(outcomes, machine, today) + "\n", encoding="utf-8")
    print(path)
    failed = [outcome.name for outcome in outcomes if outcome.result is None]
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}; see the page.")


if __name__ == "__main__":
    main()
