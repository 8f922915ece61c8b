"""Private seeds, repetitions for audits, decisions of two people, warnings on releases.

Revision ID: 0012
Revises: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
SINGLE_PATIENT_STARTS = ("real", "k_mean")


def _columns() -> dict[str, tuple[sa.Column[Any], ...]]:
    randomness = "'published'"
    return {
        "distillation": (
            sa.Column("private_seed", sa.String(length=32), nullable=True),
            sa.Column(
                "randomness",
                sa.String(length=32),
                nullable=False,
                server_default=sa.text(randomness),
            ),
            sa.Column("audit", sa.String(length=32), nullable=True),
        ),
        "trajectory_set": (
            sa.Column("private_seed", sa.String(length=32), nullable=True),
            sa.Column(
                "randomness",
                sa.String(length=32),
                nullable=False,
                server_default=sa.text(randomness),
            ),
        ),
        "release": (
            sa.Column("override", JSON, nullable=True),
            sa.Column("warning", sa.String(length=32), nullable=True),
            sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        ),
    }


def upgrade() -> None:
    # Not by batches: those make the table anew, and others refer to these.
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.create_index(op.f("ix_release_warning_warned_at"), "release", ["warning", "warned_at"])
    op.create_table(
        "audit_twin",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("distillation_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("object_key", sa.String(), nullable=True),
        sa.Column("partial_key", sa.String(), nullable=True),
        sa.Column("problem", JSON, nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("takeovers", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["distillation_id"],
            ["distillation.id"],
            name=op.f("fk_audit_twin_distillation_id_distillation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_twin")),
        sa.UniqueConstraint(
            "distillation_id", "number", name=op.f("uq_audit_twin_distillation_id_number")
        ),
    )
    op.create_table(
        "release_override",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("distillation_id", sa.String(length=40), nullable=False),
        sa.Column("objections", JSON, nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("requested_by_id", sa.String(length=40), nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("decided_by_id", sa.String(length=40), nullable=True),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("release_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_release_override_organisation_id_organisation"),
        ),
        sa.ForeignKeyConstraint(
            ["distillation_id"],
            ["distillation.id"],
            name=op.f("fk_release_override_distillation_id_distillation"),
        ),
        sa.ForeignKeyConstraint(
            ["requested_by_id"],
            ["person.id"],
            name=op.f("fk_release_override_requested_by_id_person"),
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["person.id"], name=op.f("fk_release_override_decided_by_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_override")),
    )
    op.create_index(
        op.f("ix_release_override_distillation_id"), "release_override", ["distillation_id"]
    )
    op.create_index(
        op.f("ix_release_override_organisation_id_created_at_id"),
        "release_override",
        ["organisation_id", "created_at", "id"],
    )
    _warn_of_single_patient_starts()


def _warn_of_single_patient_starts() -> None:
    """Mark releases that tell who is in the set; the portal notifies their owners."""
    release = sa.table("release", sa.column("id"), sa.column("facts", JSON), sa.column("warning"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(release.c.id, release.c.facts)).all():
        if (row.facts or {}).get("initialisation") in SINGLE_PATIENT_STARTS:
            connection.execute(
                sa.update(release)
                .where(release.c.id == row.id)
                .values(warning="single_patient_start")
            )


def downgrade() -> None:
    op.drop_table("release_override")
    op.drop_table("audit_twin")
    op.drop_index(op.f("ix_release_warning_warned_at"), "release")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
