"""Lists and sums of many rows, answered by an index alone.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INDEXES = (
    ("dataset", ("organisation_id", "purged_at", "deleted_at", "size")),
    ("dataset", ("status",)),
    ("dataset", ("organisation_id", "status", "created_at")),
    ("distillation", ("organisation_id", "created_at", "id")),
    ("distillation", ("organisation_id", "status", "finished_at")),
    ("notification", ("user_id", "read_at", "created_at", "id")),
    ("release", ("organisation_id", "bundle_size")),
    ("score", ("release_id", "created_at", "id")),
)
_CATALOGUE = (
    *("status", "created_at", "id", "organisation_id", "modality", "verdict"),
    *("terms_template", "images", "balanced_accuracy"),
)
_NARROWER = ("status", "created_at", "id")


def upgrade() -> None:
    for table, columns in _INDEXES:
        op.create_index(_name(table, columns), table, list(columns))
    op.drop_index(_name("release", _NARROWER), "release")
    op.create_index("ix_release_catalogue", "release", list(_CATALOGUE))


def downgrade() -> None:
    op.drop_index("ix_release_catalogue", "release")
    op.create_index(_name("release", _NARROWER), "release", list(_NARROWER))
    for table, columns in _INDEXES:
        op.drop_index(_name(table, columns), table)


def _name(table: str, columns: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *columns)))
