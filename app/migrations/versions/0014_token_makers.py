"""Which token made a token: they are deleted together.

Tokens from before have nobody named, since nobody wrote it down; they are deleted one by one.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

FOREIGN_KEY = "fk_token_made_with_id_token"


def upgrade() -> None:
    with op.batch_alter_table("token") as table:
        table.add_column(sa.Column("made_with_id", sa.String(length=40), nullable=True))
        table.create_index(op.f("ix_token_made_with_id"), ["made_with_id"])
        table.create_foreign_key(
            op.f(FOREIGN_KEY), "token", ["made_with_id"], ["id"], ondelete="CASCADE"
        )


def downgrade() -> None:
    with op.batch_alter_table("token") as table:
        table.drop_constraint(op.f(FOREIGN_KEY), type_="foreignkey")
        table.drop_index(op.f("ix_token_made_with_id"))
        table.drop_column("made_with_id")
