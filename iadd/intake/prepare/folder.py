"""The folder of a preparation: what is in it, and what an earlier run has left."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from iadd.intake.prepare.json_lines import JsonLines
from iadd.intake.prepare.manifest import MANIFEST, manifest_of
from iadd.intake.prepare.receipt import RETRIED, FileReceipt, Waiting

RECEIPTS = "receipts.jsonl"
README = "README.txt"
WORK = ".work"
GONE = "no longer in the source"
_PICTURES = "pictures.jsonl"
_FORMAT = 1


class PreparedFolderError(Exception):
    """A folder cannot take the pictures; the message says what to do."""


class PreparedFolder:
    """A prepared folder that is being written; to be closed.

    Args:
        path: made where it is missing.
        settings: of the run; those of an earlier run must be the same.
        dicom: the folder of scrubbed DICOM files, None without.

    Raises:
        PreparedFolderError: it holds something else, or was made with other settings.
        OSError: it cannot be written to.
    """

    def __init__(self, path: Path, settings: dict[str, Any], *, dicom: Path | None = None) -> None:
        self.path = path
        self.dicom = dicom
        head = {"prepared": _FORMAT, **settings}
        _expect_own(path, head)
        path.mkdir(parents=True, exist_ok=True)
        self.work = path / WORK
        self.work.mkdir(exist_ok=True)
        with ExitStack() as opened:
            self._lock = opened.enter_context(closing(_locked(self.work / "lock")))
            self._receipts = opened.enter_context(closing(JsonLines(path / RECEIPTS)))
            self.receipts = self._load(head)
            opened.pop_all()
        self._waiting = JsonLines(self.work / _PICTURES)
        self.waiting = self._load_waiting()
        self._numbers = Counter(
            {
                label: max(numbers)
                for label, numbers in _numbers_by_class(self.receipts.values()).items()
            }
        )

    def _load(self, head: dict[str, Any]) -> dict[str, FileReceipt]:
        lines = iter(self._receipts)
        if next(lines, None) is None:
            self._receipts.append(head)
            return {}
        try:
            return {receipt.path: receipt for receipt in map(FileReceipt.from_dict, lines)}
        except (TypeError, KeyError):
            raise PreparedFolderError(
                f"{self.path / RECEIPTS} is not as it was written. Delete {self.path} and run the "
                "same command again."
            ) from None

    def _load_waiting(self) -> dict[str, Waiting]:
        found = (Waiting.from_dict(line) for line in self._waiting)
        return {one.path: one for one in found if self.work_png(one.path).is_file()}

    def is_done(self, path: str, size: int) -> bool:
        """Return whether an earlier run has dealt with a file, which has not changed since."""
        waiting = self.waiting.get(path)
        if waiting is not None:
            return waiting.size == size
        receipt = self.receipts.get(path)
        if receipt is None or receipt.size != size or receipt.code in RETRIED:
            return False
        return receipt.became is None or (self.path / receipt.became).is_file()

    def keep(self, one: Waiting) -> None:
        """Note a decoded picture, which `work_png` holds."""
        self._waiting.append(one.to_dict())
        self.waiting[one.path] = one

    def add(self, receipt: FileReceipt) -> None:
        """Note what became of a file; what it became in an earlier run goes."""
        earlier = self.receipts.get(receipt.path)
        if earlier is not None:
            self._remove(earlier, but=receipt)
        if receipt.status != "accepted" and receipt.path in self.waiting:
            del self.waiting[receipt.path]
            self.work_png(receipt.path).unlink(missing_ok=True)
        self._receipts.append(receipt.to_dict())
        self.receipts[receipt.path] = receipt

    def work_png(self, path: str) -> Path:
        """Return where the decoded picture of a file waits."""
        return self.work / f"{path}.png"

    def work_dicom(self, path: str) -> Path:
        """Return where the scrubbed DICOM file of a file waits."""
        return self.work / f"{path}.dcm"

    def name_for(self, one: Waiting) -> str:
        """Return ``class/number`` for a picture: that of an earlier run, else the next one."""
        label = one.row.label
        earlier = self.receipts.get(one.path)
        if earlier and earlier.became and earlier.row and earlier.row.label == label:
            return earlier.became.removesuffix(".png")
        self._numbers[label] += 1
        return f"{label}/{self._numbers[label]:06d}"

    def forget_missing(self, present: set[str]) -> list[FileReceipt]:
        """Drop pictures of files that the source holds no more; return their receipts."""
        for path in [path for path in self.waiting if path not in present]:
            del self.waiting[path]
            self.work_png(path).unlink(missing_ok=True)
        gone = [one for path, one in self.receipts.items() if path not in present and one.became]
        for one in gone:
            self._remove(one)
            self.add(replace(one, status="ignored", reason=GONE, became=None, dicom=None))
        return gone

    def _remove(self, one: FileReceipt, *, but: FileReceipt | None = None) -> None:
        if one.became and (but is None or one.became != but.became):
            (self.path / one.became).unlink(missing_ok=True)
        if one.dicom and self.dicom and (but is None or one.dicom != but.dicom):
            (self.dicom / one.dicom).unlink(missing_ok=True)

    def write_manifest(self) -> None:
        """Write the manifest of the pictures that are there."""
        draft = self.path / f"{MANIFEST}.part"
        draft.write_bytes(manifest_of(self.receipts.values()))
        draft.replace(self.path / MANIFEST)

    def finish(self) -> None:
        """Remove what was kept for another run: all is done."""
        self._waiting.close()
        self._lock.close()
        shutil.rmtree(self.work)

    def close(self) -> None:
        """Close the files."""
        self._waiting.close()
        self._receipts.close()
        self._lock.close()


def is_prepared(path: Path) -> bool:
    """Return whether a folder was made by a preparation, finished or not."""
    try:
        with (path / RECEIPTS).open("rb") as file:
            return file.readline(64).startswith(b'{"prepared":')
    except OSError:
        return False


def is_finished(path: Path) -> bool:
    """Return whether the preparation of a folder came to its end."""
    return (path / MANIFEST).is_file() and not (path / WORK).exists()


def _expect_own(path: Path, head: dict[str, Any]) -> None:
    """Refuse a folder of others, and one that was made with other settings; change nothing."""
    if not path.exists():
        return
    if not path.is_dir():
        raise PreparedFolderError(f"{path} is not a folder. Choose another one (--out).")
    if not is_prepared(path):
        # A run that was killed at its very start leaves these.
        if any(item.name not in (WORK, RECEIPTS) for item in path.iterdir()):
            raise PreparedFolderError(
                f"{path} holds other files. Nothing was changed. Choose an empty or new folder "
                "(--out)."
            )
        return
    with (path / RECEIPTS).open("rb") as file:
        line = file.readline()
    try:
        first = json.loads(line)
    except ValueError:
        return  # cut by a kill at the very start
    if different := [name for name in head if first.get(name) != head[name]]:
        raise PreparedFolderError(
            f"{path} was made with another {' and '.join(different)}. Nothing was changed. Choose "
            "another folder (--out), or delete this one."
        )


def _locked(path: Path) -> IO[bytes]:
    """Open a file that the system locks for this program, until it ends in any way."""
    file = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            return path.open("ab")  # some network drives have no locks
        raise PreparedFolderError(
            f"Another program is preparing into {path.parent.parent} now. Wait for its end."
        ) from None
    return file


def _numbers_by_class(receipts: Iterable[FileReceipt]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for one in receipts:
        if one.became is not None and one.row is not None:
            numbers.setdefault(one.row.label, []).append(int(Path(one.became).stem))
    return numbers
