"""The first tables.

Types and names are written out, not imported: this step must stay what it was.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MOMENT = sa.DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """From an empty database."""
    _create_revisions(op)
    _create_photos(op)
    _create_faces(op)
    _create_operations(op)


def _create_revisions(op: Operations) -> None:
    op.create_table(
        "revisions",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("collection_id", _NAME, nullable=False),
        sa.Column("photo_id", _NAME, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("lost", sa.Boolean, nullable=False),
        sa.Column("faces_detected", sa.Integer, nullable=False),
        sa.Column("faces_indexed", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'staged', 'live', 'garbage')", name="revisions_state"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("revisions_of_photo", "revisions", ["collection_id", "photo_id"])
    op.create_index("revisions_by_state", "revisions", ["state", "id"])


def _create_photos(op: Operations) -> None:
    op.create_table(
        "photos",
        sa.Column("collection_id", _NAME, primary_key=True),
        sa.Column("photo_id", _NAME, primary_key=True),
        sa.Column("current_revision", _NAME, sa.ForeignKey("revisions.id")),
        sa.Column("staged_revision", _NAME, sa.ForeignKey("revisions.id")),
        sqlite_with_rowid=False,
    )
    op.create_index("photos_in_order", "photos", ["photo_id", "collection_id"])
    op.create_index("photos_current", "photos", ["current_revision"], unique=True)
    op.create_index("photos_staged", "photos", ["staged_revision"], unique=True)


def _create_faces(op: Operations) -> None:
    op.create_table(
        "faces",
        sa.Column(
            "revision", _NAME, sa.ForeignKey("revisions.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("x", sa.Double, nullable=False),
        sa.Column("y", sa.Double, nullable=False),
        sa.Column("box_width", sa.Double, nullable=False),
        sa.Column("box_height", sa.Double, nullable=False),
        sa.Column("landmarks", sa.JSON, nullable=False),
        sa.Column("detection_score", sa.Double, nullable=False),
        sa.Column("quality", sa.Double, nullable=False),
        sa.Column("quality_size", sa.Double, nullable=False),
        sa.Column("sharpness", sa.Double, nullable=False),
        sa.Column("yaw", sa.Double, nullable=False),
        sa.Column("pitch", sa.Double, nullable=False),
        sa.Column("roll", sa.Double, nullable=False),
        sa.Column("space_id", _NAME),
        sa.Column("face_state", sa.Text, nullable=False),
        sa.CheckConstraint("face_state IN ('detected', 'indexed')", name="faces_state"),
        sa.CheckConstraint("(face_state = 'indexed') = (space_id IS NOT NULL)", name="faces_space"),
        sqlite_with_rowid=False,
    )


def _create_operations(op: Operations) -> None:
    op.create_table(
        "spaces",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("pack", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("dim", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.CheckConstraint("state IN ('active', 'filling', 'retired')", name="spaces_state"),
    )
    op.create_table(
        "api_keys",
        sa.Column("sha256", sa.Text, primary_key=True),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("collections", sa.JSON(none_as_null=True)),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT),
    )
    op.create_index(
        "api_keys_in_use",
        "api_keys",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "leases",
        sa.Column("name", _NAME, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("id", _NAME, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger),
        sa.Column("result", sa.JSON, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="jobs_state"),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "created_at", "id"])
