"""The ``iadd`` command: the library on folders, archives and bundles.

Each command is a function in a module of ``iadd.commands``, registered here.
"""

import typer

from iadd.commands.distill import distill
from iadd.commands.evaluate import evaluate
from iadd.commands.forecast import forecast
from iadd.commands.reproduce import reproduce
from iadd.commands.select import select
from iadd.commands.show import show
from iadd.commands.teach import teach
from iadd.commands.train import train

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Importance-aware adaptive dataset distillation of chest X-rays.",
)
for command in (forecast, teach, distill, evaluate, train, select, show):
    app.command()(command)
app.add_typer(reproduce, name="reproduce")


def main() -> None:
    """Entry point of the ``iadd`` command."""
    app()


if __name__ == "__main__":
    main()
