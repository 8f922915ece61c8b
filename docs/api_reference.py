"""The REST reference as Markdown, from the description that the portal itself serves.

A page of our own: the kept tools either load scripts from elsewhere or need a browser to show
anything, and a printed page or a search finds nothing in them.
"""

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from app.core.settings import Settings
from app.main import create_app

Json = dict[str, Any]
SPOKEN_OF_ONCE = ("x-csrf-token", "idempotency-key")
"""Headers that nearly every call takes: the page says so at its top."""


def api_reference() -> str:
    """Every call with its parameters, bodies and replies, by noun; then every schema."""
    document = _description()
    by_noun: dict[str, list[str]] = defaultdict(list)
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            by_noun[call.get("tags", ["other"])[0]].append(_call(method.upper(), path, call))
    parts = ["\n".join([f"\n## {noun.capitalize()}\n", *by_noun[noun]]) for noun in sorted(by_noun)]
    schemas = document["components"]["schemas"]
    parts += ["\n## Schemas\n", *(_schema(name, schemas[name]) for name in sorted(schemas))]
    return "\n".join(parts)


def _description() -> Json:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(_env_file=None, data_dir=Path(folder)))
        document: Json = app.openapi()
        app.state.portal.close()
    return document


def _call(method: str, path: str, call: Json) -> str:
    lines = [
        f"({call['operationId']})=",
        f"### {call['operationId']}\n",
        f"**{method}** `{path}`\n",
        call.get("description", ""),
        "",
        *_parameters(call.get("parameters", [])),
    ]
    for media, content in call.get("requestBody", {}).get("content", {}).items():
        lines.append(f"Body, `{media}`: {_type(content.get('schema', {}))}\n")
    refused = []
    for status, reply in sorted(call["responses"].items()):
        if status >= "400":
            refused.append(status)
            continue
        contents = reply.get("content", {}).items()
        types = [f"`{media}`: {_type(content.get('schema', {}))}" for media, content in contents]
        lines.append(f"{status}, {'; '.join(types) or 'nothing'}\n")
    if refused:
        lines.append(f"Problems: {', '.join(refused)}\n")
    return "\n".join(lines)


def _parameters(parameters: list[Json]) -> list[str]:
    named = [each for each in parameters if each["name"].lower() not in SPOKEN_OF_ONCE]
    if not named:
        return []
    return _table(
        ("parameter", "in", "type", "meaning"),
        [
            (
                f"`{each['name']}`" + (" (required)" if each.get("required") else ""),
                each["in"],
                _type(each.get("schema", {})),
                each.get("description", ""),
            )
            for each in named
        ],
    )


def _schema(name: str, schema: Json) -> str:
    lines = [f"(schema-{name.lower()})=", f"**{name}**\n", schema.get("description", ""), ""]
    if "properties" in schema:
        required = schema.get("required", [])
        lines += _table(
            ("field", "type", "meaning"),
            [
                (
                    f"`{field}`" + ("" if field in required else " (optional)"),
                    _type(values),
                    values.get("description", ""),
                )
                for field, values in schema["properties"].items()
            ],
        )
    else:
        lines.append(f"{_type(schema)}\n")
    return "\n".join(lines)


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [
        _row(headings),
        _row(["---"] * len(headings)),
        *(_row([" ".join(cell.split()).replace("|", "\\|") for cell in row]) for row in rows),
        "",
    ]


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#schema-{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[several]))
    if "allOf" in schema:
        return " and ".join(_type(each) for each in schema["allOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("format") or schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return f"{kind}{_bounds(schema)}"


def _bounds(schema: Json) -> str:
    known = (
        ("minimum", "≥ {}"),
        ("exclusiveMinimum", "> {}"),
        ("maximum", "≤ {}"),
        ("exclusiveMaximum", "< {}"),
        ("minLength", "at least {} characters"),
        ("maxLength", "at most {} characters"),
    )
    said = [words.format(schema[key]) for key, words in known if key in schema]
    return f" ({', '.join(said)})" if said else ""
