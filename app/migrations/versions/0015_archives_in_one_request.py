"""Uploads that end with their request.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("upload") as table:
        table.add_column(
            sa.Column("in_one_request", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("upload") as table:
        table.alter_column("in_one_request", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("upload") as table:
        table.drop_column("in_one_request")
