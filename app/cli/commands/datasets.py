"""`exchange upload`."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.exit_codes import CommandError, Exit, leave
from app.cli.intake_options import KeyFile, Layout, Size, Text
from app.cli.output import echo
from app.cli.session import PortalUrl, Wait, portal_client

if TYPE_CHECKING:
    from rich.console import Console

    from app.client import Dataset
    from iadd.intake.prepare.options import PrepareOptions

PANEL = "Your images"
KEPT_SECONDS = 14 * 24 * 3600.0
"""What was prepared on the way and never arrived is removed by a later upload."""

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange upload xrays/")
def upload(
    archive: Annotated[
        Path, typer.Argument(help="A folder, which is prepared on the way, or an archive.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset [default: the archive's].")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Id of a dataset that awaits an archive, not a new one.")
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Prepare an archive too: headers and names stay here.")
    ] = False,
    layout: Layout = None,
    size: Size = 448,
    text: Text = "hold",
    key_file: KeyFile = None,
    resume: Annotated[bool, typer.Option(help="Continue an earlier upload, or begin anew.")] = True,
    wait: Wait = True,
    portal: PortalUrl = None,
) -> None:
    """Upload images to a portal. The last line is the dataset's id.

    A folder is prepared first, as by `exchange prepare`: only grey pictures and hashes leave. After
    an interrupt, a kill or a lost connection, run the same command again to continue.
    """
    with portal_client(portal) as client:
        from rich.console import Console

        from app.cli import jobs, preparing

        console = Console(stderr=True)
        mapping = preparing.read_layout(layout)
        on_sent: Callable[[Dataset], object] = _nothing
        if prepare or archive.is_dir():
            source: _Packed
            if _was_prepared(archive):
                if mapping is not None:
                    raise CommandError(
                        f"{archive} was prepared already, and its manifest says what is in it: "
                        "leave --layout out. Nothing was sent.",
                        Exit.UNUSABLE,
                    )
                source = _Packed(archive, console)
            else:
                options = preparing.options_of(
                    size=size, text=text, keep_dicom=False, key_file=key_file
                )
                source = _Prepared(archive, console, options, mapping)
            sent, name = source.pack(), name or source.name
            # What the manifest means is known here, should the portal ask.
            mapping, on_sent = source.mapping(), source.clear
        else:
            _warn_of_headers(archive)
            if mapping is not None and not wait:
                raise CommandError(
                    "--layout is confirmed once the portal asks: leave --no-wait out.",
                    Exit.UNUSABLE,
                )
            sent = archive
        row = jobs.upload(
            client,
            sent,
            console,
            name=name,
            dataset_id=dataset,
            resume=resume,
            wait=wait,
            mapping=mapping,
            mapping_name=str(layout) if layout is not None and on_sent is _nothing else None,
            on_sent=on_sent,
        )
        questions = (
            jobs.layout_questions(client, row.id) if row.status == jobs.AWAITS_LAYOUT else None
        )
    for class_name, splits in (row.classes or {}).items():
        echo(f"{class_name}: {sum(splits.values())} images")
    echo(row.id)
    if questions is not None:
        leave(questions, Exit.NOT_NOW)


def _nothing(_: "Dataset") -> None:
    pass


def _warn_of_headers(archive: Path) -> None:
    from app.cli.dicom_notice import NOTICE, holds_dicom

    if archive.is_file() and holds_dicom(archive):
        typer.echo(NOTICE.format(archive=archive), err=True)


def _was_prepared(folder: Path) -> bool:
    from iadd.intake.prepare.folder import is_prepared

    return is_prepared(folder)


class _Packed:
    """A prepared folder, packed in a folder of the user's own that is cleared after the upload.

    Args:
        folder: What was prepared.
        console: Shows progress.
        settings: What else the work on it depends on.
    """

    def __init__(self, folder: Path, console: "Console", settings: str = "") -> None:
        from app.client.unfinished import state_folder
        from iadd.intake.prepare.pack import shown_name, work_name

        self._folder, self._console = folder, console
        self._state = state_folder()
        # Found again by the same command after an interrupt.
        self._work = self._state / "prepared" / work_name(folder, settings)
        self.name = shown_name(folder)

    def pack(self) -> Path:
        """Pack it. Raises CommandError."""
        from app.cli import preparing

        self._make_work()
        return preparing.pack(self._folder, self._work, self._console)

    def _make_work(self) -> None:
        self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        for other in self._work.parent.iterdir():
            if other != self._work and other.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(other, ignore_errors=True)

    def mapping(self) -> dict[str, Any]:
        """What the folders and the manifest of the packed set mean."""
        from iadd.intake.prepare.manifest import MANIFEST, manifest_mapping

        return manifest_mapping((self._folder / MANIFEST).read_bytes())

    def clear(self, dataset: "Dataset") -> None:
        """The portal has it."""
        shutil.rmtree(self._work)


class _Prepared(_Packed):
    """A source that is prepared on the way."""

    def __init__(
        self,
        source: Path,
        console: "Console",
        options: "PrepareOptions",
        mapping: dict[str, Any] | None,
    ) -> None:
        settings = [options.key_mark, options.image_size, options.text, mapping]
        super().__init__(source, console, json.dumps(settings, sort_keys=True))
        self._source, self._options, self._layout = source, options, mapping
        self._folder = self._work / "pictures"

    def pack(self) -> Path:
        """Prepare what is not yet, and pack it. Raises CommandError."""
        from app.cli import preparing
        from app.cli.layout_text import layout_lines

        self._make_work()
        try:
            done = preparing.run(
                self._source, self._folder, self._console, self._options, self._layout
            )
        except preparing.OpenLayoutError as questions:
            preparing.print_lines(layout_lines(questions.layout))
            # Not the code of `prepare`: here that one says that nobody is signed in.
            leave(f"\n{questions}", Exit.NOT_NOW)
        preparing.print_lines(preparing.summary_lines(done), to_stderr=True)
        if (problem := preparing.unusable(done)) is not None:
            raise CommandError(f"{problem} Nothing was sent.", Exit.UNUSABLE)
        return preparing.pack(self._folder, self._work, self._console)

    def clear(self, dataset: "Dataset") -> None:
        """Keep the receipts, which stay on this machine, and remove the rest."""
        kept = self._state / "receipts" / f"{dataset.id}.jsonl"
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / "receipts.jsonl").replace(kept)
        typer.echo(f"Receipts, which stay on this machine: {kept}", err=True)
        super().clear(dataset)
