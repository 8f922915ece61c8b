import contextlib
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import httpx

from app.client import uploads
from app.client.addresses import id_of
from app.client.downloads import CHUNK, TransferListener, ignore_progress
from app.client.errors import PortalError
from app.client.models import Dataset, Layout, Ledger, RefusedFile, RefusedFiles
from app.client.transport import Transport, parse
from app.client.unfinished import Note, Unfinished
from app.client.uploads import UploadGoneError, changed

Action = Literal["accept", "leave_out", "turn", "merge"]
"""What may be done about a finding."""


class Datasets:
    """Raw images of the user's organisation."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, description: str = "") -> Dataset:
        """A dataset that awaits its archive."""
        body = {"name": name, "description": description}
        return self._transport.post("/datasets", Dataset, body, once=True)

    def ledger(self, dataset_id: str, *, delta: float = 1e-5) -> Ledger:
        """Every read of the dataset's images, and the ε that all runs spent at `delta`."""
        address = f"/datasets/{id_of(dataset_id)}/ledger"
        return self._transport.read(address, Ledger, {"delta": delta})

    def upload(
        self, dataset_id: str, archive: Path, *, on_progress: TransferListener = ignore_progress
    ) -> Dataset:
        """Stream the archive in one request; the portal checks it when the last byte is there.

        What breaks off begins anew: `send` goes on.

        Raises:
            PortalError: It was refused, broke off, or arrived as something else.
            OSError: The archive cannot be read.
        """
        size = archive.stat().st_size
        digest = hashlib.sha256()

        def pieces() -> Iterator[bytes]:
            done = 0
            with archive.open("rb") as file:
                while piece := file.read(CHUNK):
                    if done + len(piece) > size:
                        raise changed(archive)
                    digest.update(piece)
                    yield piece
                    done += len(piece)
                    on_progress(done, size)
            if done < size:
                raise changed(archive)

        reply = self._transport.request(
            "PUT",
            f"/datasets/{id_of(dataset_id)}/archive",
            content=pieces(),
            headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
        )
        dataset = parse(Dataset, reply)
        if dataset.sha256 is not None and dataset.sha256 != digest.hexdigest():
            raise _garbled(archive)
        return dataset

    def send(
        self,
        archive: Path,
        *,
        name: str | None = None,
        dataset_id: str | None = None,
        resume: bool = True,
        on_progress: TransferListener = ignore_progress,
    ) -> Dataset:
        """Send an archive in pieces; the same call continues an interrupted one.

        What has begun is noted in the user's state folder, so that this also holds for another run
        of the program, after a kill or a loss of power.

        Args:
            archive: A zip or tar file with one folder of images per class.
            name: Name of the new dataset; the file's, if absent.
            dataset_id: A dataset that awaits an archive, in place of a new one.
            resume: Continue what an earlier call has begun.
            on_progress: See `TransferListener`.

        Raises:
            PortalError: It was refused, broke off for too long, or arrived as something else.
            OSError: The archive cannot be read, or the state folder not be written to.
        """
        unfinished = Unfinished(self._transport.url, archive)
        note = unfinished.find() if resume else None
        if note is not None and dataset_id not in (None, note.dataset_id):
            note = None
        if note is not None and note.upload_id is not None:
            try:
                return self._send_to(note.upload_id, note.dataset_id, archive, on_progress)
            except UploadGoneError:
                note = note if dataset_id is not None or self._awaits(note.dataset_id) else None
        if note is None:
            made = dataset_id or self.create(name or printable(archive.stem)).id
            note = Note(dataset_id=made)
        # Before anything is sent: what is begun from here on is found again.
        unfinished.put(note)
        upload = uploads.begin(self._transport, note.dataset_id, archive, key=str(uuid.uuid4()))
        unfinished.put(Note(dataset_id=note.dataset_id, upload_id=upload.id))
        return self._send_to(upload.id, note.dataset_id, archive, on_progress)

    def _send_to(
        self, upload_id: str, dataset_id: str, archive: Path, on_progress: TransferListener
    ) -> Dataset:
        unfinished = Unfinished(self._transport.url, archive)
        try:
            sha256 = uploads.Sender(self._transport, upload_id, archive, on_progress).send()
        except PortalError as error:
            if error.code == "archive-changed":
                unfinished.remove()
                # Of another archive than there is now; the portal forgets it by itself too.
                with contextlib.suppress(PortalError):
                    uploads.end(self._transport, upload_id)
            raise
        dataset = self.get(dataset_id)
        unfinished.remove()
        if dataset.sha256 is not None and dataset.sha256 != sha256:
            raise _garbled(archive)
        return dataset

    def _awaits(self, dataset_id: str) -> bool:
        try:
            return self.get(dataset_id).status in ("awaiting_upload", "rejected")
        except PortalError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return False
            raise

    def get(self, dataset_id: str) -> Dataset:
        return self._transport.read(f"/datasets/{id_of(dataset_id)}", Dataset)

    def list(self) -> Iterator[Dataset]:
        """Newest first."""
        return self._transport.rows("/datasets", Dataset)

    def quality(self, dataset_id: str) -> dict[str, Any]:
        """The quality report. It may name files of the archive."""
        reply = self._transport.request("GET", f"/datasets/{id_of(dataset_id)}/quality")
        report: dict[str, Any] = reply.json()
        return report

    def refused_files(self, dataset_id: str, *, code: str = "") -> Iterator[RefusedFile]:
        """Files that were left out for a defect or as repetitions; `code` takes one reason only."""
        path = f"/datasets/{id_of(dataset_id)}/quality/files"
        number = pages = 1
        while number <= pages:
            page = self._transport.read(path, RefusedFiles, {"code": code or None, "page": number})
            yield from page.items
            number, pages = number + 1, page.pages

    def layout(self, dataset_id: str) -> Layout:
        """What was found in the archive, and what its folders and tables mean."""
        return self._transport.read(f"/datasets/{id_of(dataset_id)}/layout", Layout)

    def confirm_layout(
        self, dataset_id: str, mapping: Mapping[str, Any], *, archive_sha256: str | None = None
    ) -> Dataset:
        """Confirm what the folders and tables mean; the archive is then read.

        Args:
            dataset_id: A dataset that is `awaiting_mapping`.
            mapping: As in a reading of its layout; docs/intake.md explains it.
            archive_sha256: Of the archive whose layout was read; refused where it was replaced.
        """
        reply = self._transport.request(
            "PUT",
            f"/datasets/{id_of(dataset_id)}/layout",
            json=dict(mapping),
            params={"archive_sha256": archive_sha256},
            # The same mapping a second time changes nothing.
            repeatable=True,
        )
        return parse(Dataset, reply)

    def cancel_check(self, dataset_id: str) -> Dataset:
        """End the check of an archive within seconds. The archive is kept."""
        path = f"/datasets/{id_of(dataset_id)}/check/cancel"
        return self._transport.post(path, Dataset, once=False)

    def check_again(self, dataset_id: str) -> Dataset:
        """Check the kept archive again: after a fault of the service, or where it was cancelled."""
        return self._transport.post(f"/datasets/{id_of(dataset_id)}/check", Dataset, once=True)

    def decide(
        self,
        dataset_id: str,
        finding: str,
        action: Action,
        *,
        merge: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Decide what becomes of a finding of the quality report, by its code.

        Unless it is accepted, the dataset is checked again. With `merge`, classes become part of
        others.
        """
        body = {"action": action, "merge": dict(merge or {})}
        path = f"/datasets/{id_of(dataset_id)}/findings/{id_of(finding)}"
        return self._transport.post(path, Dataset, body, once=True)

    def finding_picture(self, dataset_id: str, finding: str) -> bytes:
        """A PNG of some of the pictures that a finding is about."""
        path = f"/datasets/{id_of(dataset_id)}/findings/{id_of(finding)}/picture"
        return self._transport.request("GET", path).content

    def delete(self, dataset_id: str) -> None:
        """Archive, images and trajectories; finished bundles and reports stay."""
        self._transport.request("DELETE", f"/datasets/{id_of(dataset_id)}")


def printable(name: str) -> str:
    """A name that a dataset may have."""
    return "".join(letter for letter in name if letter.isprintable())[:200].strip() or "archive"


def _garbled(archive: Path) -> PortalError:
    return PortalError(
        f"What arrived is not what was sent: the SHA-256 of {archive.name} is another at the "
        "portal. Delete the dataset and upload it as a new one."
    )
