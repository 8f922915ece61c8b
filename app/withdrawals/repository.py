"""Queries for withdrawals."""

from sqlalchemy import select

from app.core.errors import NotFound
from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.models.withdrawal import Withdrawal


class WithdrawalNotFound(NotFound):
    code = "withdrawal-not-found"
    title = "No such withdrawal"


class ReadableWithdrawals(Readable[Withdrawal]):
    """The withdrawals of the caller's organisation."""

    model = Withdrawal
    not_found = WithdrawalNotFound
    advice = "Your organisation has no withdrawal with this id; GET /api/v1/withdrawals lists them."


class WithdrawalRepository(Repository[Withdrawal]):
    def readable_by(self, caller: Caller) -> ReadableWithdrawals:
        return ReadableWithdrawals(self._session, caller)

    def load(self, withdrawal_id: str) -> Withdrawal:
        """By id alone, for what names it."""
        return self._session.scalars(select(Withdrawal).where(Withdrawal.id == withdrawal_id)).one()
