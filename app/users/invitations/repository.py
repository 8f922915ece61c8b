"""Queries for invitations."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.repository import Repository
from app.core.security import Caller
from app.models.invitation import Invitation
from app.models.organisation import Organisation


class InvitationNotFound(NotFound):
    code = "invitation-not-found"
    title = "No such invitation"


class ReadableInvitations:
    """The invitations of the caller's organisation."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._organisation_id = caller.organisation_id

    def page(self, *, cursor: str | None, limit: int) -> Page[Invitation]:
        query = select(Invitation).where(Invitation.organisation_id == self._organisation_id)
        return paginate(self._session, query, Invitation, cursor=cursor, limit=limit)

    def delete(self, invitation_id: str) -> None:
        """Raises InvitationNotFound."""
        deleted = self._session.scalar(
            delete(Invitation)
            .where(
                Invitation.id == invitation_id,
                Invitation.organisation_id == self._organisation_id,
                Invitation.accepted_at.is_(None),
            )
            .returning(Invitation.id)
        )
        if deleted is None:
            raise InvitationNotFound(
                "Your organisation has no open invitation with this id; GET /api/v1/invitations "
                "lists them."
            )


class InvitationRepository(Repository[Invitation]):
    def readable_by(self, caller: Caller) -> ReadableInvitations:
        return ReadableInvitations(self._session, caller)

    def find_by_hash(
        self, secret_hash: str, *, lock: bool = False
    ) -> tuple[Invitation, Organisation] | None:
        query = (
            select(Invitation, Organisation)
            .join(Organisation, Organisation.id == Invitation.organisation_id)
            .where(Invitation.secret_hash == secret_hash)
        )
        if lock:
            query = query.with_for_update(of=Invitation, key_share=True)
        row = self._session.execute(query).one_or_none()
        return None if row is None else (row[0], row[1])

    def open_to_anybody(self) -> Sequence[Invitation]:
        """Links to join that name no address, and were not used; of any organisation."""
        return self._session.scalars(
            select(Invitation).where(Invitation.email == "", Invitation.accepted_at.is_(None))
        ).all()

    def lock_open_to(self, email: str, now: datetime) -> Sequence[Invitation]:
        """Invitations to join that still work, of organisations that do; newest first."""
        return self._session.scalars(
            select(Invitation)
            .join(Organisation, Organisation.id == Invitation.organisation_id)
            .where(
                Invitation.email == email,
                Invitation.user_id.is_(None),
                Invitation.accepted_at.is_(None),
                Invitation.expires_at > now,
                Organisation.disabled_at.is_(None),
            )
            .order_by(Invitation.created_at.desc(), Invitation.id)
            .with_for_update(of=Invitation, key_share=True)
        ).all()

    def count_links(self, user_id: str, since: datetime) -> int:
        """Links to set this person's password that were made since then and not used."""
        query = select(func.count()).where(*_open_links(user_id), Invitation.created_at >= since)
        return self._session.scalar(query) or 0

    def delete_open_links(self, user_id: str) -> None:
        """Links to set this person's password work no longer."""
        self._session.execute(delete(Invitation).where(*_open_links(user_id)))

    def delete_expired_links(self, user_id: str, now: datetime) -> None:
        self._session.execute(
            delete(Invitation).where(*_open_links(user_id), Invitation.expires_at <= now)
        )


def _open_links(user_id: str) -> tuple[ColumnElement[bool], ...]:
    return (Invitation.user_id == user_id, Invitation.accepted_at.is_(None))
