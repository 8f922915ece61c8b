"""Scores that recipients measured with a distilled set, on their own test images."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.models.release import Release
from app.organisations.repository import OrganisationRepository
from app.releases.repository import ReleaseRepository


@dataclass(frozen=True, kw_only=True)
class ReceivedScore:
    """One score, signed by who sent it.

    Attributes:
        organisation_id: The organisation that measured it.
        organisation: Its name.
        release: Which release it is of.
        balanced_accuracy: Mean over the networks; None where it was not measured.
        std: Its spread over them.
        networks: Number of networks trained.
        test_images: Number of the recipient's own test images.
        network: Name of the architecture.
        created_at: When it arrived.
    """

    organisation_id: str
    organisation: str
    release: Release
    balanced_accuracy: float | None
    std: float | None
    networks: int
    test_images: int
    network: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Over organisations, the latest score of each counting once."""

    organisations: int
    mean: float
    lowest: float
    highest: float


def received_scores(
    session: Session, releases: Sequence[Release], *, limit: int
) -> list[ReceivedScore]:
    """The newest of all these releases, the newest first."""
    by_id = {release.id: release for release in releases}
    rows = ReleaseRepository(session).scores_of(list(by_id), limit=limit)
    names = OrganisationRepository(session).names_of([row.organisation_id for row in rows])
    found = []
    for row in rows:
        score: dict[str, Any] = json.loads(row.document)["score"]
        figure = score["figures"]["balanced_accuracy"]
        found.append(
            ReceivedScore(
                organisation_id=row.organisation_id,
                organisation=names[row.organisation_id],
                release=by_id[row.release_id],
                balanced_accuracy=figure["mean"],
                std=figure["std"],
                networks=figure["n"],
                test_images=sum(score["test_images"].values()),
                network=score["network"]["name"],
                created_at=row.created_at,
            )
        )
    return found


def summary_of(session: Session, releases: Sequence[Release]) -> Summary | None:
    """Summary of the scores; None if there are none."""
    rows = ReleaseRepository(session).latest_scores([release.id for release in releases])
    means = [
        json.loads(row.document)["score"]["figures"]["balanced_accuracy"]["mean"] for row in rows
    ]
    measured = [mean for mean in means if mean is not None]
    if not measured:
        return None
    return Summary(
        organisations=len(measured),
        mean=statistics.fmean(measured),
        lowest=min(measured),
        highest=max(measured),
    )
