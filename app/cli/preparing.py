"""Preparations of images for the commands: `prepare`, `layout` and `upload`.

Needs the extra `intake`: call `check_parts` first.
"""

import errno
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer
from rich.console import Console

from app.cli.context import check_installed
from app.cli.exit_codes import CommandError, Exit
from app.cli.intake_options import TEXT
from app.cli.output import aligned, clean, words
from app.cli.progress import StepDisplay, TransferRate, step_display

if TYPE_CHECKING:
    from iadd.intake.prepare.options import PrepareOptions
    from iadd.intake.prepare.prepare import Prepared

EXTRA = "intake"
_PARTS = ("numpy", "PIL", "pydicom", "imagecodecs", "openjpeg", "jpeg_ls", "inflate64")
_TEXT_PARTS = ("rapidocr", "onnxruntime")
_SECONDS_BETWEEN_SHOWS = 0.1
_MOST_NAMES = 10


class Report(Protocol):
    """Progress of a phase."""

    @property
    def phase(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def unit(self) -> str: ...


def check_parts(*, text: str = "skip", keep_dicom: bool = False) -> None:
    """Name the extra where a part is missing, and end the command."""
    parts = list(_PARTS)
    if sys.version_info < (3, 14):
        parts.append("backports.zstd")
    if text != "skip":
        parts += _TEXT_PARTS
    if keep_dicom:
        parts.append("dicomanonymizer")
    check_installed(EXTRA, *parts)


def options_of(
    *, size: int, text: str, keep_dicom: bool, key_file: Path | None
) -> "PrepareOptions":
    """Settings of a preparation. Raises CommandError."""
    if text not in TEXT:
        raise CommandError(f"--text is one of {', '.join(TEXT)}.", Exit.UNUSABLE)
    check_parts(text=text, keep_dicom=keep_dicom)
    from app.client.signins import config_folder
    from iadd.intake.prepare.key_file import KeyFileError, load_key
    from iadd.intake.prepare.options import PrepareOptions

    try:
        key = load_key(key_file or config_folder() / "patients.key")
    except KeyFileError as error:
        raise CommandError(str(error), Exit.UNUSABLE) from error
    # Checked above; a type checker cannot know it.
    policy: Any = text
    return PrepareOptions(key=key, image_size=size, text=policy, keep_dicom=keep_dicom)


def read_layout(path: Path | None) -> dict[str, Any] | None:
    """What a layout file says, as JSON. Raises CommandError."""
    if path is None:
        return None
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise CommandError(f"{path} cannot be read: {reason}.", Exit.UNUSABLE) from error
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CommandError(
            f"{path} is not the JSON of a layout. To write one: exchange layout SOURCE --out "
            f"{path.name}",
            Exit.UNUSABLE,
        )
    return found


def write_layout(path: Path, layout: Mapping[str, Any]) -> bool:
    """Write the mapping of the best reading, to be edited; False where there is no reading."""
    readings = layout["readings"]
    mapping = layout["certain"] or (readings[0]["mapping"] if readings else None)
    if mapping is None:
        return False
    path.write_text(json.dumps(mapping, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return True


def describe_source(source: Path, console: Console, encoding: str | None = None) -> dict[str, Any]:
    """The layout of an archive or folder of this machine. Raises CommandError."""
    check_parts()
    from iadd.intake.prepare.prepare import list_source

    with _source_errors(source), step_display(console) as display:
        listener = _Listener(display)
        _, layout = list_source(source, encoding=encoding, on_progress=listener)
    return layout.to_dict()


def run(
    source: Path,
    out: Path,
    console: Console,
    options: "PrepareOptions",
    layout: Mapping[str, Any] | None,
) -> "Prepared":
    """Prepare a source, and show how far it is.

    Raises:
        OpenLayoutError: What the folders and tables mean has to be said first.
        CommandError: It cannot be read or written.
    """
    from iadd.intake.layout.mapping import Mapping as LayoutMapping
    from iadd.intake.prepare.prepare import prepare

    if _holds(source, out):
        raise CommandError(
            f"{out} lies in {source}, and would be read with it. Choose another folder.",
            Exit.UNUSABLE,
        )
    with _source_errors(source), step_display(console) as display:
        listener = _Listener(display)
        mapping = None if layout is None else LayoutMapping.from_dict(dict(layout))
        done = prepare(source, out, options=options, mapping=mapping, on_progress=listener)
        listener.finish()
    return done


def unusable(done: "Prepared") -> str | None:
    """Why the portal would reject the pictures, None where it would not for what is known here."""
    from iadd.intake.prepare.prepare import DatasetError, check_usable

    try:
        check_usable(done)
    except DatasetError as error:
        return f"{error.title}. {error}"
    return None


def pack(folder: Path, target_folder: Path, console: Console) -> Path:
    """Pack a prepared folder for its upload; the base install can. Raises CommandError."""
    from iadd.intake.prepare.folder import PreparedFolderError
    from iadd.intake.prepare.pack import pack

    try:
        with _local_errors(), step_display(console) as display:
            listener = _Listener(display)
            packed = pack(folder, target_folder, on_progress=listener)
            listener.finish()
    except PreparedFolderError as error:
        raise CommandError(str(error), Exit.UNUSABLE) from error
    return packed


class OpenLayoutError(CommandError):
    """What the folders and tables of a source mean has to be said first.

    Attributes:
        layout: What was found, as JSON.
    """

    def __init__(self, source: Path, layout: dict[str, Any]) -> None:
        shown = f"'{source}'" if " " in str(source) else str(source)
        super().__init__(
            "Nothing was written: what the folders and tables mean is not clear. Write down what "
            f"was found (exchange layout {shown} --out layout.json), change what is wrong in "
            "layout.json, and run the command again with --layout layout.json",
            Exit.SIGN_IN,
        )
        self.layout = layout


@contextmanager
def _source_errors(source: Path) -> Iterator[None]:
    from iadd.intake.layout.mapping import MappingError
    from iadd.intake.prepare.folder import PreparedFolderError
    from iadd.intake.prepare.prepare import DatasetError, OpenQuestionsError

    try:
        with _local_errors():
            yield
    except OpenQuestionsError as error:
        raise OpenLayoutError(source, error.layout.to_dict()) from error
    except MappingError as error:
        raise CommandError(f"The layout does not fit {source}. {error}", Exit.UNUSABLE) from error
    except DatasetError as error:
        raise CommandError(f"{error.title}. {error}", Exit.UNUSABLE) from error
    except PreparedFolderError as error:
        raise CommandError(str(error), Exit.UNUSABLE) from error
    except FileNotFoundError as error:
        if source.exists():
            raise
        raise CommandError(f"There is nothing at {source}.", Exit.UNUSABLE) from error


@contextmanager
def _local_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise CommandError(
            "The disc is full. What is done is kept: make room, and run the same command again."
        ) from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted. What is done is kept. Run the same command again to continue."
        ) from None


def _holds(source: Path, out: Path) -> bool:
    return source.is_dir() and out.resolve().is_relative_to(source.resolve())


class _Listener:
    """Shows the phases of a preparation, the rate of each and the time that is left."""

    def __init__(self, display: StepDisplay, clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display
        self._clock = clock
        self._phase: str | None = None
        self._rate = TransferRate()
        self._shown_at = 0.0

    def __call__(self, report: Report) -> None:
        if report.phase != self._phase:
            self.finish()
            self._phase, self._rate, self._shown_at = report.phase, TransferRate(), 0.0
        now = self._clock()
        if now < self._shown_at + _SECONDS_BETWEEN_SHOWS and report.done < report.total:
            return
        self._shown_at = now
        rate = self._rate.after(report.done)
        self._display.show(report.phase, report.done, report.total, report.unit, rate=rate)

    def finish(self) -> None:
        if self._phase is not None:
            self._display.finish(self._phase)


def summary_lines(done: "Prepared") -> Iterator[str]:
    """The table at the end: accepted, refused by reason, ignored."""
    accepted, refused = sum(done.accepted.values()), sum(done.refused.values())
    ignored = sum(done.ignored.values())
    yield f"Accepted: {accepted} of {accepted + refused + ignored} files"
    yield from _counts(sorted(done.accepted.items()))
    if refused:
        yield f"Refused: {refused}"
        yield from aligned(
            [
                (words(code), str(count), done.reasons[code])
                for code, count in done.refused.most_common()
            ],
            right=(1,),
        )
    if ignored:
        yield f"Ignored: {ignored}"
        yield from _counts(done.ignored.most_common())
    if done.dicom_files:
        yield f"DICOM files, scrubbed: {done.dicom_files}"
    if done.with_text:
        yield "Held back for text in the picture:"
        yield from (f"  {name}" for name in done.with_text[:_MOST_NAMES])
        if len(done.with_text) > _MOST_NAMES:
            yield f"  and {len(done.with_text) - _MOST_NAMES} more: receipts.jsonl lists them"


def _counts(counts: list[tuple[str, int]]) -> Iterator[str]:
    yield from aligned([(name, str(count)) for name, count in counts], right=(1,))


def print_lines(lines: Iterable[str], *, to_stderr: bool = False) -> None:
    for line in lines:
        typer.echo(clean(line), err=to_stderr)
