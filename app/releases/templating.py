"""Renders the documents of a release from the templates beside this file."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from app.releases.facts import in_words
from app.releases.markdown import numbered, one_line, plain, quoted, wrapped
from iadd.bundle.format import RESEARCH_ONLY

if TYPE_CHECKING:
    from jinja2 import Environment


def render(name: str, /, **values: Any) -> str:
    """Fill in a template. A value that somebody typed needs a filter there: nothing is escaped."""
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> "Environment":
    # Imported here, as the base install has no Jinja and its commands name the terms' templates.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("app.releases"),
        autoescape=False,  # noqa: S701 - Markdown and JSON, to which HTML's escapes mean nothing
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for escape in (in_words, numbered, one_line, plain, quoted, wrapped):
        environment.filters[escape.__name__] = escape
    environment.filters["in_json"] = _in_json
    environment.globals["RESEARCH_ONLY"] = RESEARCH_ONLY
    return environment


def _in_json(value: object) -> str:
    """A value within the quotes of a JSON string."""
    return json.dumps(str(value), ensure_ascii=False)[1:-1]
