"""The ``iadd`` command: applies the library to folders, archives and bundles."""

import typer

from iadd.cli.audit import audit
from iadd.cli.distill import distill
from iadd.cli.evaluate import evaluate
from iadd.cli.forecast import forecast
from iadd.cli.inspect import inspect
from iadd.cli.reproduce import reproduce
from iadd.cli.select import select
from iadd.cli.show import show
from iadd.cli.teach import teach
from iadd.cli.train import train

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Importance-aware adaptive dataset distillation of chest X-rays.",
)
for command in (forecast, teach, distill, evaluate, train, audit, inspect, select, show):
    app.command()(command)
app.add_typer(reproduce, name="reproduce")


def main() -> None:
    """Run the ``iadd`` command."""
    app()
