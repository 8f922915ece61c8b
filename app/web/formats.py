"""Formats numbers, sizes and times for pages."""

from datetime import UTC, datetime

from markupsafe import Markup

UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(number: float | None) -> str:
    """Bytes, in the units of the SI, with three digits: `1.23 GB`."""
    if number is None:
        return "–"
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    if unit == 0:
        return f"{value:.0f} B"
    return f"{value:.3g} {UNITS[unit]}"


def number(value: float | None, digits: int = 3) -> str:
    """Counts with a thin space every three digits, fractions with so many digits."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    return f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def duration(seconds: float | None) -> str:
    """Two units at most: `2 h 5 min`, `40 s`."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10 and rest:
        return f"{minutes} min {rest} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def time(moment: datetime | None) -> Markup:
    """A moment in UTC, which the reader's browser turns into their own zone."""
    if moment is None:
        return Markup("–")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), utc.strftime("%Y-%m-%d %H:%M UTC")
    )


FILTERS = {
    "size": size,
    "number": number,
    "percent": percent,
    "duration": duration,
    "time": time,
}
