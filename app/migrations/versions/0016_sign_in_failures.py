"""Wrong passwords by device and address, so that strangers do not lock a person out.

Locks of before end: they held for the whole account.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_failures",
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["person.id"], name=op.f("fk_sign_in_failures_user_id_person")
        ),
        sa.PrimaryKeyConstraint("user_id", "source", name=op.f("pk_sign_in_failures")),
    )
    op.execute("UPDATE person SET failed_sign_ins = 0, locked_until = NULL")


def downgrade() -> None:
    op.drop_table("sign_in_failures")
