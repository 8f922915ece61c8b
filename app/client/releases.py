from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from app.client.accounts import time_of
from app.client.addresses import id_of
from app.client.downloads import TransferListener, download, ignore_progress
from app.client.models import Download, Release, ReleaseBrief
from app.client.transport import Transport


class Releases:
    """Releases of organisations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def publish(
        self,
        distillation_id: str,
        *,
        title: str,
        summary: str,
        card: str = "",
        terms: str = "research_only",
        custom_terms: str = "",
        duo: Sequence[str] = (),
        contact: str | None = None,
        citation: str = "",
        embargo_until: datetime | None = None,
        previews: bool = False,
        supersedes: str | None = None,
    ) -> Release:
        """Freeze the next version of a distillation, sign it and show it to others.

        Args:
            distillation_id: One that is `ready`.
            title: One line.
            summary: A few sentences for the catalogue.
            card: The dataset card, in Markdown.
            terms: `research_only`, `non_commercial` or `custom`.
            custom_terms: The organisation's own words; needed with `custom`.
            duo: Conditions of use, as in `DUO:0000007 tuberculosis`.
            contact: Whom to write to; without, the organisation's contact.
            citation: The text to cite.
            embargo_until: Nobody else downloads it before. With a time zone.
            previews: Show the images to whoever has no access yet.
            supersedes: An own release whose place this one takes.

        Raises:
            PortalError: As `not-cleared`, where the audit does not clear it.
        """
        body = {
            "title": title,
            "summary": summary,
            "card": card,
            "terms": terms,
            "custom_terms": custom_terms,
            "duo": list(duo),
            "contact": contact,
            "citation": citation,
            "embargo_until": time_of(embargo_until),
            "previews": previews,
            "supersedes": supersedes,
        }
        path = f"/distillations/{id_of(distillation_id)}/releases"
        return self._transport.post(path, Release, body, once=True)

    def search(
        self,
        words: str | None = None,
        *,
        modality: str | None = None,
        class_name: str | None = None,
        organisation_id: str | None = None,
        verdict: str | None = None,
        min_images: int | None = None,
        max_images: int | None = None,
        min_accuracy: float | None = None,
    ) -> Iterator[ReleaseBrief]:
        """The catalogue, newest first. What is None does not narrow it.

        Args:
            words: All must occur in title or summary.
            modality: As in `chest X-ray`.
            class_name: A class that it has.
            organisation_id: Whose it is.
            verdict: Verdict of the privacy audit: `inconclusive`, `not_refuted` or `proven`.
            min_images: Fewest distilled images.
            max_images: Most distilled images.
            min_accuracy: Least balanced accuracy, 0 to 1.
        """
        params = {
            "q": words,
            "modality": modality,
            "class": class_name,
            "organisation_id": organisation_id,
            "verdict": verdict,
            "min_images": min_images,
            "max_images": max_images,
            "min_accuracy": min_accuracy,
        }
        return self._transport.rows("/catalogue", ReleaseBrief, params)

    def mine(self) -> Iterator[ReleaseBrief]:
        """Releases of the user's organisation, newest first, with withdrawn ones."""
        return self._transport.rows("/releases", ReleaseBrief)

    def get(self, release_id: str) -> Release:
        return self._transport.read(f"/releases/{id_of(release_id)}", Release)

    def download(
        self, release_id: str, path: Path, *, on_progress: TransferListener = ignore_progress
    ) -> Release:
        """Write the signed bundle to a file, and return its release.

        The file is compared with the SHA-256 that the portal names. Who signed it is another
        question: `app.signing.verify.verify_bundle`.

        Raises PortalError and OSError as `app.client.downloads.download` does.
        """
        release = self.get(release_id)
        source = f"/releases/{release.id}/bundle"
        download(
            self._transport, source, path, sha256=release.bundle.sha256, on_progress=on_progress
        )
        return release

    def downloads(self, release_id: str) -> Iterator[Download]:
        """Downloads of an own release, newest first."""
        return self._transport.rows(f"/releases/{id_of(release_id)}/downloads", Download)

    def withdraw(self, release_id: str, reason: str) -> Release:
        """Withdraw it: recipients are notified, and a tombstone with the reason stays."""
        path = f"/releases/{id_of(release_id)}/withdraw"
        return self._transport.post(path, Release, {"reason": reason}, once=False)
