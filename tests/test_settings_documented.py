"""docs/settings.md names every setting with its default and its meaning."""

from pathlib import Path

import pytest

from app.core.settings import Settings
from worker.settings import WorkerSettings

TEXT = (Path(__file__).parents[1] / "docs" / "settings.md").read_text()


@pytest.mark.parametrize(
    ("name", "field"),
    [*Settings.model_fields.items(), *WorkerSettings.model_fields.items()],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_documented(name, field):
    default = "" if field.default is None or not str(field.default) else f"`{field.default}`"

    assert f"| `EXCHANGE_{name.upper()}` | {default} | {field.description} |" in TEXT
