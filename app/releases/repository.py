"""Queries for releases.

A release is there for everybody who is signed in: what it says, not what it holds. Who may have its
bundle is `app.access.policy`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from app.access.repository import ReadableAccess
from app.core.pagination import Page, paginate
from app.core.security import Caller
from app.models.access import Download, Score
from app.models.distillation import Verdict
from app.models.organisation import Organisation
from app.models.release import Release, ReleaseClass, ReleaseStatus


@dataclass(frozen=True, kw_only=True)
class Search:
    """Search criteria of the catalogue. None: any."""

    text: str | None = None
    modality: str | None = None
    class_name: str | None = None
    organisation_id: str | None = None
    verdict: Verdict | None = None
    fewest_images: int | None = None
    most_images: int | None = None
    least_accuracy: float | None = None
    terms: str | None = None


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Distinct values among the releases of the catalogue."""

    classes: Sequence[str]
    organisations: Sequence[tuple[str, str]]


_UNTOLD = (Release.warning.is_not(None), Release.warned_at.is_(None))
MOST_CHOICES = 500
MOST_VERSIONS = 50


class ReadableReleases:
    """The releases that a caller may know of."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._caller = caller
        self._access = ReadableAccess(session, caller)

    def get(self, release_id: str, *, lock: bool = False) -> Release:
        """One of anybody's. Raises ReleaseNotFound."""
        return self._access.release(release_id, lock=lock)

    def get_own(self, release_id: str, *, lock: bool = False) -> Release:
        """One of the caller's organisation. Raises ReleaseNotFound."""
        return self._access.release(release_id, own=True, lock=lock)

    def own_page(self, *, cursor: str | None, limit: int) -> Page[Release]:
        query = select(Release).where(Release.organisation_id == self._caller.organisation_id)
        return paginate(self._session, query, Release, cursor=cursor, limit=limit)

    def catalogue(self, search: Search, *, cursor: str | None, limit: int) -> Page[Release]:
        """Published releases of all organisations, newest first."""
        query = select(Release).where(
            Release.status == ReleaseStatus.PUBLISHED, *_conditions(search)
        )
        return paginate(self._session, query, Release, cursor=cursor, limit=limit)

    def count(self, search: Search) -> int:
        """Count the releases that match."""
        query = select(func.count()).where(
            Release.status == ReleaseStatus.PUBLISHED, *_conditions(search)
        )
        return self._session.scalar(query) or 0

    def choices(self) -> Choices:
        """Classes and organisations that the catalogue can be filtered by."""
        is_there = Release.status == ReleaseStatus.PUBLISHED
        # Few names, and for each the first release that has it: not every class of every release.
        names = select(ReleaseClass.name).distinct().subquery()
        classes = (
            select(names.c.name)
            .where(
                exists()
                .where(ReleaseClass.name == names.c.name)
                .where(Release.id == ReleaseClass.release_id, is_there)
            )
            .order_by(names.c.name)
            .limit(MOST_CHOICES)
        )
        owners = (
            select(Organisation.id, Organisation.name)
            .where(exists().where(Release.organisation_id == Organisation.id, is_there))
            .order_by(Organisation.name)
            .limit(MOST_CHOICES)
        )
        return Choices(
            classes=self._session.scalars(classes).all(),
            organisations=self._session.execute(owners).all(),
        )


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    # A word is looked for as it is: its % and _ mean nothing special.
    conditions.extend(
        or_(
            Release.title.icontains(word, autoescape=True),
            Release.summary.icontains(word, autoescape=True),
        )
        for word in (search.text or "").split()
    )
    if search.class_name is not None:
        conditions.append(
            exists().where(
                ReleaseClass.release_id == Release.id,
                func.lower(ReleaseClass.name) == search.class_name.lower(),
            )
        )
    if search.modality is not None:
        conditions.append(Release.modality == search.modality)
    if search.organisation_id is not None:
        conditions.append(Release.organisation_id == search.organisation_id)
    if search.verdict is not None:
        conditions.append(Release.verdict == search.verdict)
    if search.fewest_images is not None:
        conditions.append(Release.images >= search.fewest_images)
    if search.most_images is not None:
        conditions.append(Release.images <= search.most_images)
    if search.terms is not None:
        conditions.append(Release.terms_template == search.terms)
    if search.least_accuracy is not None:
        conditions.append(Release.balanced_accuracy >= search.least_accuracy)
    return conditions


class ReleaseRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def readable_by(self, caller: Caller) -> ReadableReleases:
        return ReadableReleases(self._session, caller)

    def load(self, release_id: str) -> Release:
        """By id alone, for what was found by one that is known to exist."""
        return self._session.scalars(select(Release).where(Release.id == release_id)).one()

    def find(self, release_ids: Sequence[str]) -> dict[str, Release]:
        rows = self._session.scalars(select(Release).where(Release.id.in_(set(release_ids))))
        return {row.id: row for row in rows}

    def add(self, release: Release, classes: Sequence[str]) -> Release:
        self._session.add(release)
        self._session.flush()
        self._session.add_all(
            ReleaseClass(release_id=release.id, position=position, name=name)
            for position, name in enumerate(classes)
        )
        self._session.flush()
        return release

    def next_number(self, distillation_id: str) -> int:
        query = select(func.max(Release.number)).where(Release.distillation_id == distillation_id)
        return (self._session.scalar(query) or 0) + 1

    def of_distillations(self, distillation_ids: Sequence[str]) -> Sequence[Release]:
        return self._session.scalars(
            select(Release)
            .where(Release.distillation_id.in_(distillation_ids))
            .order_by(Release.created_at)
        ).all()

    def superseded_by(self, release_id: str) -> Sequence[str]:
        """Releases whose place this one took, and those whose place they had taken."""
        found: dict[str, None] = {}
        wanted = {release_id}
        while wanted:
            before = self._session.scalars(
                select(Release.id).where(Release.superseded_by.in_(wanted))
            ).all()
            wanted = {one for one in before if one not in found}
            found |= dict.fromkeys(before)
        return sorted(found)

    def versions(self, release: Release) -> Sequence[Release]:
        """The last releases of its distillation, the newest first."""
        if release.distillation_id is None:  # published here from another portal
            return [release]
        return self._session.scalars(
            select(Release)
            .where(Release.distillation_id == release.distillation_id)
            .order_by(Release.number.desc())
            .limit(MOST_VERSIONS)
        ).all()

    def classes(self, release_ids: Sequence[str]) -> dict[str, list[str]]:
        """The classes of each of these releases, in their order."""
        rows = self._session.scalars(
            select(ReleaseClass)
            .where(ReleaseClass.release_id.in_(set(release_ids)))
            .order_by(ReleaseClass.release_id, ReleaseClass.position)
        )
        found: dict[str, list[str]] = {release_id: [] for release_id in release_ids}
        for row in rows:
            found[row.release_id].append(row.name)
        return found

    def with_untold_warning(self) -> Sequence[str]:
        """Releases with a warning that their owners were not told of."""
        return self._session.scalars(
            select(Release.id).where(*_UNTOLD).order_by(Release.created_at)
        ).all()

    def lock_untold(self, release_id: str) -> Release | None:
        """One of these, locked; None where another portal was faster."""
        return self._session.scalar(
            select(Release).where(Release.id == release_id, *_UNTOLD).with_for_update()
        )

    def add_download(self, download: Download) -> None:
        self._session.add(download)
        self._session.flush()

    def has_downloaded(self, release_id: str, organisation_id: str) -> bool:
        """Return whether the organisation has begun a download of the release before."""
        query = select(Download.release_id).where(
            Download.release_id == release_id, Download.organisation_id == organisation_id
        )
        return self._session.scalar(query.limit(1)) is not None

    def count_downloads(self, release_id: str) -> int:
        """By other organisations: the owner's own are not kept."""
        query = select(func.count()).where(Download.release_id == release_id)
        return self._session.scalar(query) or 0

    def downloads_of(self, release_ids: Sequence[str]) -> dict[str, int]:
        """Count the downloads of each by other organisations."""
        rows = self._session.execute(
            select(Download.release_id, func.count())
            .where(Download.release_id.in_(set(release_ids)))
            .group_by(Download.release_id)
        )
        return dict(rows.all())

    def downloads(self, release_id: str, *, cursor: str | None, limit: int) -> Page[Download]:
        query = select(Download).where(Download.release_id == release_id)
        return paginate(self._session, query, Download, cursor=cursor, limit=limit)

    def recipients(self, release_ids: Sequence[str]) -> set[tuple[str, str]]:
        """(release, organisation) of everybody who has downloaded one of these."""
        rows = self._session.execute(
            select(Download.release_id, Download.organisation_id)
            .where(Download.release_id.in_(set(release_ids)))
            .distinct()
        )
        return {(row.release_id, row.organisation_id) for row in rows}

    def add_score(self, score: Score) -> Score:
        self._session.add(score)
        self._session.flush()
        return score

    def next_score(self, release_id: str, organisation_id: str) -> int:
        query = select(func.max(Score.number)).where(
            Score.release_id == release_id, Score.organisation_id == organisation_id
        )
        return (self._session.scalar(query) or 0) + 1

    def scores_of(self, release_ids: Sequence[str], *, limit: int | None = None) -> Sequence[Score]:
        """Scores of these releases, newest first."""
        return self._session.scalars(
            select(Score)
            .where(Score.release_id.in_(set(release_ids)))
            .order_by(Score.created_at.desc(), Score.id.desc())
            .limit(limit)
        ).all()

    def latest_scores(self, release_ids: Sequence[str]) -> Sequence[Score]:
        """The newest score of each organisation for any of these releases."""
        last = (
            select(Score.release_id, Score.organisation_id, func.max(Score.number).label("number"))
            .where(Score.release_id.in_(set(release_ids)))
            .group_by(Score.release_id, Score.organisation_id)
            .subquery()
        )
        rows = self._session.scalars(
            select(Score)
            .join(
                last,
                and_(
                    Score.release_id == last.c.release_id,
                    Score.organisation_id == last.c.organisation_id,
                    Score.number == last.c.number,
                ),
            )
            .order_by(Score.created_at, Score.id)
        )
        return list({row.organisation_id: row for row in rows}.values())
