"""The `exchange` command: mounts the commands of `app.cli.commands`, a group per module.

`exchange --help` imports nothing of them but their options. On the base install everything works
that uses a remote portal or checks a file; the service's own commands name the extra they need.
"""

import typer

from app.cli import exit_codes
from app.cli.admin import admin
from app.cli.commands import (
    access,
    audit,
    backup,
    datasets,
    distillations,
    download,
    hub,
    keys,
    layout,
    ledger,
    login,
    prepare,
    releases,
    secret,
    service,
    status,
    trainings,
)

app = typer.Typer(
    name="exchange",
    help="IADD Exchange: hospitals share what their chest X-rays teach. For research use; not a "
    "medical device.",
    epilog=exit_codes.HELP,
    # Rich markup would take what stands in square brackets for a style, and show nothing of it.
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
images = (prepare, layout, datasets, distillations)
for group in (login, status, *images, releases, access, download, trainings, ledger, keys):
    app.add_typer(group.commands)
app.add_typer(audit.commands, name="audit", rich_help_panel=keys.PANEL)
app.add_typer(hub.commands, name="hub", rich_help_panel=releases.PANEL)
app.add_typer(service.commands)
app.add_typer(backup.commands)
app.add_typer(secret.commands)
app.add_typer(admin, name="admin", rich_help_panel=service.PANEL)


def main() -> None:
    app()
