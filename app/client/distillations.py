from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.client.addresses import id_of
from app.client.downloads import TransferListener, download, ignore_progress
from app.client.models import Distillation, Forecast
from app.client.transport import Transport

RESULTS = {
    "bundle.zip": "bundle",
    **{name: name for name in ("report.html", "report.pdf", "report.json")},
}
"""Names for files, and the names under which the portal has them."""
NOT_MADE = "result-not-made"
"""Code of the refusal of a result that is younger than the distillation, as `report.pdf` may be."""


def _body(
    preset: str,
    images_per_class: int | None,
    seed: int,
    audit: str | None,
    overrides: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "preset": preset,
        "images_per_class": images_per_class,
        "seed": seed,
        "overrides": dict(overrides or {}),
        # A portal of an earlier version knows no audits.
        **({} if audit is None else {"audit": audit}),
    }


class Distillations:
    """Distilled sets of the organisation's datasets."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start(
        self,
        dataset_id: str,
        *,
        preset: str,
        images_per_class: int | None = None,
        seed: int = 0,
        audit: str | None = None,
        priority: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Distillation:
        """Ask for a distilled set.

        `images_per_class` and `audit` (`audit_free` to `audit_full`) are the preset's where they
        are None. `priority` (`high`, `normal`, `low`) orders the organisation's own jobs.
        """
        body = _body(preset, images_per_class, seed, audit, overrides)
        # A portal of an earlier version knows no priorities.
        body |= {} if priority is None else {"priority": priority}
        path = f"/datasets/{id_of(dataset_id)}/distillations"
        return self._transport.post(path, Distillation, body, once=True)

    def forecast(
        self,
        dataset_id: str,
        *,
        preset: str,
        images_per_class: int | None = None,
        seed: int = 0,
        audit: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Forecast:
        """Forecast its time, and the power of its audit; starts nothing.

        Its estimate is None where a worker has to measure a few steps first.
        """
        body = _body(preset, images_per_class, seed, audit, overrides)
        path = f"/datasets/{id_of(dataset_id)}/forecasts"
        return self._transport.post(path, Forecast, body, once=True)

    def get(self, distillation_id: str) -> Distillation:
        return self._transport.read(f"/distillations/{id_of(distillation_id)}", Distillation)

    def list(self, *, dataset_id: str | None = None) -> Iterator[Distillation]:
        """Newest first."""
        return self._transport.rows("/distillations", Distillation, {"dataset_id": dataset_id})

    def cancel(self, distillation_id: str) -> Distillation:
        """Stop at the next step; what was computed is kept."""
        path = f"/distillations/{id_of(distillation_id)}/cancel"
        return self._transport.post(path, Distillation, once=True)

    def retry(self, distillation_id: str) -> Distillation:
        """Queue a failed or cancelled one again; it continues from its last checkpoint."""
        path = f"/distillations/{id_of(distillation_id)}/retry"
        return self._transport.post(path, Distillation, once=True)

    def delete(self, distillation_id: str) -> None:
        """Its results, checkpoints and events. The dataset stays."""
        self._transport.request("DELETE", f"/distillations/{id_of(distillation_id)}")

    def download(
        self,
        distillation_id: str,
        result: str,
        path: Path,
        *,
        on_progress: TransferListener = ignore_progress,
    ) -> None:
        """Write a result (`bundle`, `report.html`, `report.pdf`, `report.json`) to a file.

        Raises PortalError and OSError as `app.client.downloads.download` does.
        """
        if result not in RESULTS.values():
            raise ValueError(f"the results are {', '.join(RESULTS.values())}")
        source = f"/distillations/{id_of(distillation_id)}/{result}"
        download(self._transport, source, path, on_progress=on_progress)
