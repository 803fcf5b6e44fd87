"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

from storage.records.dialects import NAME, Moment

METADATA = MetaData()

# One row for each photo that a user can see. `current_revision` is the live one; a photo that was
# only detected has none yet. Whoever changes what a photo is locks its row first.
photos = Table(
    "photos",
    METADATA,
    Column("collection_id", NAME, primary_key=True),
    Column("photo_id", NAME, primary_key=True),
    Column("current_revision", NAME, ForeignKey("revisions.id")),
    Column("staged_revision", NAME, ForeignKey("revisions.id")),
    Index("photos_in_order", "photo_id", "collection_id"),
    Index("photos_current", "current_revision", unique=True),
    Index("photos_staged", "staged_revision", unique=True),
    sqlite_with_rowid=False,
)

revisions = Table(
    "revisions",
    METADATA,
    Column("id", NAME, primary_key=True),
    Column("collection_id", NAME, nullable=False),
    Column("photo_id", NAME, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("lost", Boolean, nullable=False),
    # Counted here, so that a listing reads no faces.
    Column("faces_detected", Integer, nullable=False),
    Column("faces_indexed", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    CheckConstraint("state IN ('pending', 'staged', 'live', 'garbage')", name="revisions_state"),
    Index("revisions_of_photo", "collection_id", "photo_id"),
    Index("revisions_by_state", "state", "id"),
    sqlite_with_rowid=False,
)

faces = Table(
    "faces",
    METADATA,
    Column("revision", NAME, ForeignKey("revisions.id", ondelete="CASCADE"), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    # Box and landmarks in pixels of the photo as a person sees it.
    Column("x", Double, nullable=False),
    Column("y", Double, nullable=False),
    Column("box_width", Double, nullable=False),
    Column("box_height", Double, nullable=False),
    Column("landmarks", JSON, nullable=False),
    Column("detection_score", Double, nullable=False),
    Column("quality", Double, nullable=False),
    Column("quality_size", Double, nullable=False),
    Column("sharpness", Double, nullable=False),
    Column("yaw", Double, nullable=False),
    Column("pitch", Double, nullable=False),
    Column("roll", Double, nullable=False),
    Column("space_id", NAME),
    Column("face_state", Text, nullable=False),
    CheckConstraint("face_state IN ('detected', 'indexed')", name="faces_state"),
    CheckConstraint("(face_state = 'indexed') = (space_id IS NOT NULL)", name="faces_space"),
    sqlite_with_rowid=False,
)

spaces = Table(
    "spaces",
    METADATA,
    Column("id", NAME, primary_key=True),
    Column("pack", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("dim", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("behind", BigInteger, nullable=False, server_default=text("0")),
    Column("target", Text),
    CheckConstraint("state IN ('active', 'filling', 'retired')", name="spaces_state"),
)

# What `space_id` of a face means to a space that came later: the faces of `covered` are in `space`
# too. So another pack becomes the active one without a write to every face.
space_covers = Table(
    "space_covers",
    METADATA,
    Column("space", NAME, primary_key=True),
    Column("covered", NAME, primary_key=True),
    sqlite_with_rowid=False,
)

# One row: the number of the oldest step whose code can work with the tables as they are. So a
# process of an older version can be started beside newer ones, and instead of them.
schema_compatibility = Table("schema_compatibility", METADATA, Column("oldest_code", Text))

api_keys = Table(
    "api_keys",
    METADATA,
    Column("sha256", Text, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("scopes", JSON, nullable=False),
    # NULL: every collection.
    Column("collections", JSON(none_as_null=True)),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Index(
        "api_keys_in_use",
        "name",
        unique=True,
        sqlite_where=text("revoked_at IS NULL"),
        postgresql_where=text("revoked_at IS NULL"),
    ),
)

leases = Table(
    "leases",
    METADATA,
    Column("name", NAME, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

jobs = Table(
    "jobs",
    METADATA,
    Column("id", NAME, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger),
    Column("result", JSON, nullable=False),
    Column("error", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="jobs_state"),
    Index("jobs_by_state", "state", "created_at", "id"),
)
