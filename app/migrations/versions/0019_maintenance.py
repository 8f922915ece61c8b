"""What a service needs to be updated while it runs: its version, a mark that drains it, backups.

From here on each migration leaves what the version before needs: workers and portals of it go on
while the others are updated (`tests/app/test_migrations.py` compares).

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "service_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("drained_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_state")),
    )
    op.create_table(
        "portal_process",
        sa.Column("id", sa.String(length=300), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_process")),
    )
    op.create_index(op.f("ix_portal_process_seen_at"), "portal_process", ["seen_at"])
    op.create_table(
        "scheduled_backup",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.String(length=1000), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_backup")),
    )
    op.add_column("worker_process", sa.Column("refusal", sa.String(length=32), nullable=True))


def downgrade() -> None:
    # Not by a batch, as in 0018.
    op.drop_column("worker_process", "refusal")
    op.drop_table("scheduled_backup")
    op.drop_index(op.f("ix_portal_process_seen_at"), table_name="portal_process")
    op.drop_table("portal_process")
    op.drop_table("service_state")
