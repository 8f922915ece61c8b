"""Somebody asked that the check of an archive ends.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "dataset", sa.Column("cancel_requested_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    # Not by a batch: it makes the table anew, which other tables' rows refer to.
    op.drop_column("dataset", "cancel_requested_at")
