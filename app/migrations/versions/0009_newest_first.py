"""The catalogue, own releases and requests, newest first, without sorting them all.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ORDERED = (
    ("release", "status"),
    ("release", "organisation_id"),
    ("access_request", "owner_id"),
    ("access_request", "organisation_id"),
)


def upgrade() -> None:
    for table, column in _ORDERED:
        op.create_index(_name(table, column), table, [column, "created_at", "id"])


def downgrade() -> None:
    for table, column in _ORDERED:
        op.drop_index(_name(table, column), table)


def _name(table: str, column: str) -> str:
    return op.f(f"ix_{table}_{column}_created_at_id")
