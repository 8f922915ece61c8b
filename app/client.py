"""A client of a portal, as typed methods over its REST API.

It needs no more than the base install. Rows have the fields that callers read; what else a portal
sends is ignored, so that an older client works with a newer portal.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel

FINAL = frozenset({"ready", "failed", "cancelled"})
"""Statuses in which a distillation stays."""

_CHUNK = 256 * 1024

BytesListener = Callable[[int], None]
"""Told how many bytes went over the line since it was told last."""


class PortalError(RuntimeError):
    """The portal refused, or could not be reached. The message is for the person who asked.

    Attributes:
        status: HTTP status, or None when there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ProblemRead(BaseModel):
    """RFC 9457: what went wrong and what to do."""

    title: str
    detail: str = ""


class DatasetRead(BaseModel):
    id: str
    status: str
    size: int | None
    classes: dict[str, dict[str, int]] | None
    problem: ProblemRead | None


class PhaseRead(BaseModel):
    done: float
    total: float
    unit: str


class DistillationRead(BaseModel):
    id: str
    status: str
    phases: dict[str, PhaseRead]
    eta_seconds: float | None
    images_per_class: int
    verdict: str | None
    problem: ProblemRead | None


class PortalClient:
    """One portal, asked with one token. To be closed, or used as a context.

    Every method raises PortalError.

    Args:
        url: Root of the portal, as in `http://127.0.0.1:8000`.
        token: Of `exchange admin create-token`.
    """

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(60, connect=10),
            # For a portal that is being started again; sent requests are never repeated.
            transport=httpx.HTTPTransport(retries=3),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def create_dataset(self, name: str) -> DatasetRead:
        reply = self._ask("POST", "/datasets", json={"name": name})
        return DatasetRead.model_validate_json(reply.content)

    def upload_archive(
        self, dataset_id: str, archive: Path, *, on_bytes: BytesListener = lambda count: None
    ) -> DatasetRead:
        """Stream the archive; the portal checks it when the last byte is there."""
        reply = self._ask(
            "PUT",
            f"/datasets/{dataset_id}/archive",
            content=_parts(archive, on_bytes),
            headers={"Content-Length": str(archive.stat().st_size)},
        )
        return DatasetRead.model_validate_json(reply.content)

    def dataset(self, dataset_id: str) -> DatasetRead:
        return DatasetRead.model_validate_json(self._ask("GET", f"/datasets/{dataset_id}").content)

    def quality(self, dataset_id: str) -> dict[str, Any]:
        """The quality report. It may name files of the archive."""
        report: dict[str, Any] = self._ask("GET", f"/datasets/{dataset_id}/quality").json()
        return report

    def start_distillation(
        self,
        dataset_id: str,
        *,
        preset: str,
        images_per_class: int | None = None,
        seed: int = 0,
        overrides: Mapping[str, Any] | None = None,
    ) -> DistillationRead:
        """Raises PortalError. `images_per_class` is the preset's where it is None."""
        body = {
            "preset": preset,
            "images_per_class": images_per_class,
            "seed": seed,
            "overrides": dict(overrides or {}),
        }
        reply = self._ask("POST", f"/datasets/{dataset_id}/distillations", json=body)
        return DistillationRead.model_validate_json(reply.content)

    def distillation(self, distillation_id: str) -> DistillationRead:
        reply = self._ask("GET", f"/distillations/{distillation_id}")
        return DistillationRead.model_validate_json(reply.content)

    def download(self, distillation_id: str, resource: str, path: Path) -> None:
        """Write `bundle`, `report.html` or `report.json` to a file; all of it, or nothing."""
        part = path.with_name(f"{path.name}.part")
        try:
            with (
                self._http.stream("GET", f"/distillations/{distillation_id}/{resource}") as reply,
                part.open("wb") as file,
            ):
                if reply.is_error:
                    reply.read()
                _raise_for_problem(reply)
                for piece in reply.iter_bytes(_CHUNK):
                    file.write(piece)
            part.replace(path)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        finally:
            part.unlink(missing_ok=True)

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            reply = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        _raise_for_problem(reply)
        return reply


def _parts(path: Path, on_bytes: BytesListener) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            yield part
            on_bytes(len(part))


def _raise_for_problem(reply: httpx.Response) -> None:
    if not reply.is_error:
        return
    try:
        problem = ProblemRead.model_validate_json(reply.content)
    except ValueError:
        # Not from the portal but from something before it.
        raise PortalError(
            f"The answer was HTTP {reply.status_code}, without a reason.", reply.status_code
        ) from None
    raise PortalError(f"{problem.title}. {problem.detail}".strip(), reply.status_code)


def _unreachable(error: httpx.HTTPError) -> PortalError:
    return PortalError(f"The portal does not answer ({type(error).__name__}). Try again.")
