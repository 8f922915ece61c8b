"""Every `iadd` command and option that the documentation names exists."""

from typer.main import get_command

from iadd.cli import app
from tests.fixtures.documentation import mentioned, unknown_part


def test_every_iadd_command_and_option_exists():
    command = get_command(app)
    named = list(mentioned("iadd"))

    wrong = [(page, args) for page, args in named if unknown_part(command, args) is not None]

    assert len(named) > 30
    assert wrong == []
