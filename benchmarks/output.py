"""How every benchmark answers: one JSON object, and where its numbers come from."""

import json
import sys
from typing import Any


def print_result(result: dict[str, Any], *, one_line: bool) -> None:
    """Print the object, for programs in one line, for people indented."""
    print(json.dumps(result, indent=None if one_line else 2, ensure_ascii=False))


def command() -> str:
    """The command that runs, as it can be typed again."""
    name = getattr(sys.modules["__main__"].__spec__, "name", None)
    start = ["python", "-m", name] if name else ["python", *sys.argv[:1]]
    return " ".join([*start, *sys.argv[1:]])
