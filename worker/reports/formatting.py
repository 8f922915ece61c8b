"""How the report writes numbers. What was not measured says so."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

NOT_MEASURED = "not measured"
NETWORKS = {"convnet": "ConvNet", "alexnet": "AlexNet", "vgg11": "VGG11", "resnet18": "ResNet18"}
"""How networks are called."""


def spread(figure: Mapping[str, Any] | None, digits: int = 3) -> str:
    """Mean ± standard deviation; of a single network the figure alone."""
    if figure is None or None in (figure["mean"], figure["std"]):
        return NOT_MEASURED
    if figure["n"] == 1:
        return f"{figure['mean']:.{digits}f}"
    return f"{figure['mean']:.{digits}f} ± {figure['std']:.{digits}f}"


def interval(bounds: Sequence[float] | None) -> str:
    """An interval."""
    if bounds is None or None in bounds:
        return NOT_MEASURED
    return f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def rate(value: float | None) -> str:
    """A figure with three digits."""
    return NOT_MEASURED if value is None else f"{value:.3f}"


def shown(value: float | None) -> str:
    """A figure of any size with four."""
    return NOT_MEASURED if value is None else f"{value:.4g}"


def number(value: float | None) -> str:
    """A count, or a setting."""
    if value is None:
        return NOT_MEASURED
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def duration(seconds: float | None) -> str:
    """A time."""
    if seconds is None:
        return NOT_MEASURED
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def setting(value: Any) -> str:
    """The value of a setting."""
    if isinstance(value, list | tuple):
        return ", ".join(setting(item) for item in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    return number(value) if isinstance(value, int | float) else str(value)


def day(iso: str) -> str:
    """A date: 26 November 2026."""
    parsed = date.fromisoformat(iso)
    return f"{parsed.day} {_MONTHS[parsed.month - 1]} {parsed.year}"


def capital(text: str) -> str:
    """With a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


# strftime would answer in the worker's language.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
