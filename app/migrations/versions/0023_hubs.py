"""Hubs: the portal's own key, home keys, publications, connections and shares.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "organisation_key",
        sa.Column("is_home", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    with op.batch_alter_table("release") as release:
        release.alter_column("distillation_id", existing_type=sa.String(length=40), nullable=True)
    op.create_table(
        "portal_key",
        sa.Column("id", sa.String(length=10), nullable=False),
        sa.Column("public_key", sa.String(length=100), nullable=False),
        sa.Column("sealed_private_key", sa.String(), nullable=False),
        *_timestamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_key")),
    )
    op.create_table(
        "home_key",
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.String(length=100), nullable=False),
        sa.Column("pending_key", sa.String(length=100), nullable=True),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("confirmed_by", sa.String(length=200), nullable=False),
        *_timestamps(),
        _of_organisation("home_key"),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_home_key")),
    )
    op.create_table(
        "publication",
        sa.Column("release_id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("envelope", JSON, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("problem", JSON, nullable=True),
        *_timestamps(),
        _of_organisation("publication"),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_publication")),
    )
    op.create_index(op.f("ix_publication_organisation_id"), "publication", ["organisation_id"])
    op.create_table(
        "connection",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("sealed_token", sa.String(), nullable=False),
        sa.Column("there", sa.String(length=200), nullable=False),
        sa.Column("there_id", sa.String(length=40), nullable=False),
        sa.Column("hub_key", sa.String(length=100), nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("paused_at", TIME, nullable=True),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("version", sa.String(length=50), nullable=False),
        sa.Column("problem", JSON, nullable=True),
        *_timestamps(),
        _of_organisation("connection"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
        sa.UniqueConstraint(
            "organisation_id", "url", name=op.f("uq_connection_organisation_id_url")
        ),
    )
    op.create_index(op.f("ix_connection_organisation_id"), "connection", ["organisation_id"])
    op.create_table(
        "share",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("release_id", sa.String(length=40), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("asked_by", sa.String(length=200), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", JSON, nullable=True),
        sa.Column("shared_at", TIME, nullable=True),
        *_timestamps(),
        _of_organisation("share"),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_share_release_id_release")
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connection.id"], name=op.f("fk_share_connection_id_connection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share")),
        sa.UniqueConstraint(
            "release_id", "connection_id", name=op.f("uq_share_release_id_connection_id")
        ),
    )
    op.create_index(op.f("ix_share_organisation_id"), "share", ["organisation_id"])
    op.create_index(op.f("ix_share_connection_id"), "share", ["connection_id"])
    op.create_index(op.f("ix_share_status_due_at"), "share", ["status", "due_at"])


def _timestamps() -> tuple[sa.Column[object], sa.Column[object]]:
    return (
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )


def _of_organisation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["organisation_id"],
        ["organisation.id"],
        name=op.f(f"fk_{table}_organisation_id_organisation"),
    )


def downgrade() -> None:
    for table in ("share", "connection", "publication", "home_key", "portal_key"):
        op.drop_table(table)
    # `release.distillation_id` stays nullable: the version before works with it as it is.
    op.drop_column("organisation_key", "is_home")
