"""Queries for withdrawals."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.repository import Repository
from app.core.security import Caller
from app.models.withdrawal import Withdrawal


class WithdrawalNotFound(NotFound):
    code = "withdrawal-not-found"
    title = "No such withdrawal"


class ReadableWithdrawals:
    """The withdrawals of the caller's organisation."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._query = select(Withdrawal).where(Withdrawal.organisation_id == caller.organisation_id)

    def get(self, withdrawal_id: str) -> Withdrawal:
        """Raises WithdrawalNotFound."""
        found = self._session.scalar(self._query.where(Withdrawal.id == withdrawal_id))
        if found is None:
            raise WithdrawalNotFound(
                "Your organisation has no withdrawal with this id; GET /api/v1/withdrawals lists "
                "them."
            )
        return found

    def page(self, *, cursor: str | None, limit: int) -> Page[Withdrawal]:
        return paginate(self._session, self._query, Withdrawal, cursor=cursor, limit=limit)


class WithdrawalRepository(Repository[Withdrawal]):
    def readable_by(self, caller: Caller) -> ReadableWithdrawals:
        return ReadableWithdrawals(self._session, caller)

    def load(self, withdrawal_id: str) -> Withdrawal:
        """By id alone, for what names it."""
        return self._session.scalars(select(Withdrawal).where(Withdrawal.id == withdrawal_id)).one()
