"""Formats the numbers of the report. A missing one reads "not measured"."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

NOT_MEASURED = "not measured"
NETWORKS = {"convnet": "ConvNet", "alexnet": "AlexNet", "vgg11": "VGG11", "resnet18": "ResNet18"}
"""Titles of the networks."""


def spread(figure: Mapping[str, Any] | None, digits: int = 3) -> str:
    """Format mean ± standard deviation; the figure alone for a single network."""
    if figure is None or None in (figure["mean"], figure["std"]):
        return NOT_MEASURED
    if figure["n"] == 1:
        return f"{figure['mean']:.{digits}f}"
    return f"{figure['mean']:.{digits}f} ± {figure['std']:.{digits}f}"


def interval(bounds: Sequence[float] | None) -> str:
    """Format an interval."""
    if bounds is None or None in bounds:
        return NOT_MEASURED
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def rate(value: float | None) -> str:
    """Format a figure with three digits."""
    return NOT_MEASURED if value is None else f"{value:.3f}"


def shown(value: float | None) -> str:
    """Format a figure of any size with four digits."""
    return NOT_MEASURED if value is None else f"{value:.4g}"


def number(value: float | None) -> str:
    """Format a count, or a setting."""
    if value is None:
        return NOT_MEASURED
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def duration(seconds: float | None) -> str:
    """Format a time."""
    if seconds is None:
        return NOT_MEASURED
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def setting(value: Any) -> str:
    """Format the value of a setting."""
    if isinstance(value, list | tuple):
        return ", ".join(setting(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return number(value) if isinstance(value, int | float) else str(value)


def day(iso: str) -> str:
    """Format a date: 26 November 2026."""
    parsed = date.fromisoformat(iso)
    return f"{parsed.day} {_MONTHS[parsed.month - 1]} {parsed.year}"


def capital(text: str) -> str:
    """Begin with a capital letter, and leave the others as they are."""
    return text[:1].upper() + text[1:]


# strftime would write in the worker's language.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
