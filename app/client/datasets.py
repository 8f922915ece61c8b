import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.client.addresses import id_of
from app.client.downloads import CHUNK, TransferListener, ignore_progress
from app.client.errors import PortalError
from app.client.models import Dataset
from app.client.transport import Transport, parse


class Datasets:
    """Raw images, within one's own organisation."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, description: str = "") -> Dataset:
        """A dataset that awaits its archive."""
        body = {"name": name, "description": description}
        return self._transport.post("/datasets", Dataset, body, once=True)

    def upload(
        self, dataset_id: str, archive: Path, *, on_progress: TransferListener = ignore_progress
    ) -> Dataset:
        """Stream the archive; the portal checks it when the last byte is there.

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
                        raise _changed(archive)
                    digest.update(piece)
                    yield piece
                    done += len(piece)
                    on_progress(done, size)
            if done < size:
                raise _changed(archive)

        reply = self._transport.ask(
            "PUT",
            f"/datasets/{id_of(dataset_id)}/archive",
            content=pieces(),
            headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
        )
        dataset = parse(Dataset, reply)
        if dataset.sha256 is not None and dataset.sha256 != digest.hexdigest():
            raise PortalError(
                f"What arrived is not what was sent: the SHA-256 of {archive.name} is another at "
                "the portal. Delete the dataset and upload it as a new one."
            )
        return dataset

    def get(self, dataset_id: str) -> Dataset:
        return self._transport.read(f"/datasets/{id_of(dataset_id)}", Dataset)

    def list(self) -> Iterator[Dataset]:
        """Newest first."""
        return self._transport.rows("/datasets", Dataset)

    def quality(self, dataset_id: str) -> dict[str, Any]:
        """The quality report. It may name files of the archive."""
        reply = self._transport.ask("GET", f"/datasets/{id_of(dataset_id)}/quality")
        report: dict[str, Any] = reply.json()
        return report

    def delete(self, dataset_id: str) -> None:
        """Archive, images and trajectories; finished bundles and reports stay."""
        self._transport.ask("DELETE", f"/datasets/{id_of(dataset_id)}")


def _changed(archive: Path) -> PortalError:
    return PortalError(
        f"{archive.name} changed while it was sent, so it was not taken. Send it again once it is "
        "finished."
    )
