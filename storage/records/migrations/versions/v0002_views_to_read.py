"""What others may read: a schema `api` of views, and a role that may do nothing but read them.

For PostgREST (docs/postgrest.md), and for PostgreSQL only. Nothing of ours uses it, so this step
never stops a start: a user who may make no schema gets no views, and one who may make no roles gets
no role. `deploy/postgrest/` has both as scripts, for later and for whoever may.

The views show what `GET /embed_status/` shows: a photo as it is, from the moment of its commit to
that of its removal. Keys, leases and jobs are in none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

revision = "0002"
down_revision = "0001"

_ROLE = "facesearch_reader"
_SCHEMA = "CREATE SCHEMA api"
# A barrier, since whoever reads may write functions: none of theirs sees a row that is not shown.
_PHOTOS = """
CREATE VIEW api.photos WITH (security_barrier) AS
SELECT
    photos.photo_id,
    photos.collection_id,
    CASE
        WHEN revisions.lost THEN 'failed'
        WHEN revisions.faces_indexed > 0 THEN 'indexed'
        WHEN revisions.faces_detected > 0 THEN 'detected'
        ELSE 'no_faces'
    END AS status,
    revisions.id AS revision,
    revisions.sha256,
    revisions.bytes,
    revisions.width,
    revisions.height,
    revisions.faces_detected,
    revisions.faces_indexed,
    revisions.created_at,
    revisions.updated_at
FROM photos
JOIN revisions ON revisions.id = coalesce(photos.current_revision, photos.staged_revision)
"""
_FACES = """
CREATE VIEW api.faces WITH (security_barrier) AS
SELECT
    photos.photo_id,
    photos.collection_id,
    'f_' || faces.revision || '_' || faces.n AS face_id,
    faces.revision,
    faces.n AS number,
    faces.face_state AS status,
    faces.space_id,
    faces.x,
    faces.y,
    faces.box_width AS width,
    faces.box_height AS height,
    faces.landmarks,
    faces.detection_score,
    faces.quality,
    faces.quality_size,
    faces.sharpness,
    faces.yaw,
    faces.pitch,
    faces.roll
FROM photos
JOIN faces ON faces.revision = coalesce(photos.current_revision, photos.staged_revision)
"""
_SPACES = """
CREATE VIEW api.spaces WITH (security_barrier) AS
SELECT spaces.id, spaces.pack, spaces.version, spaces.dim, spaces.state FROM spaces
"""
# PostgREST shows them in its OpenAPI document.
_COMMENTS = (
    "COMMENT ON VIEW api.photos IS 'Photos of the base, each once, as they are now.'",
    "COMMENT ON VIEW api.faces IS 'Faces of these photos; boxes in pixels of the photo.'",
    "COMMENT ON VIEW api.spaces IS 'Embedding spaces: which model made the vectors.'",
)
_GRANTS = (
    f"GRANT USAGE ON SCHEMA api TO {_ROLE}",
    f"GRANT SELECT ON api.photos, api.faces, api.spaces TO {_ROLE}",
    # What later versions add is for the role too.
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT SELECT ON TABLES TO {_ROLE}",
)
# How a database says no: no right to; somebody's own view or role of that name, which is the last
# but one where two databases of a server make the role at once; a trigger that forbids it.
_REFUSED = frozenset({"42501", "42P07", "42710", "23505", "P0001"})

_log = structlog.get_logger(__name__)


def upgrade(op: Operations) -> None:
    """From 0001."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    schema = () if _is_there(connection, "to_regnamespace('api')") else (_SCHEMA,)
    views = (*schema, _PHOTOS, _FACES, _SPACES, *_COMMENTS)
    if not _are_run(connection, views, otherwise="views_not_made"):
        return
    if not _is_there(connection, f"to_regrole('{_ROLE}')"):
        _are_run(connection, [f"CREATE ROLE {_ROLE} NOLOGIN"], otherwise="role_not_made")
    if _is_there(connection, f"to_regrole('{_ROLE}')"):
        _are_run(connection, _GRANTS, otherwise="views_not_granted")


def _is_there(connection: Connection, name: str) -> bool:
    return connection.exec_driver_sql(f"SELECT {name}::text").scalar() is not None


def _are_run(connection: Connection, statements: Sequence[str], *, otherwise: str) -> bool:
    """Run all of them or none. What the database refuses is logged as `otherwise`."""
    try:
        with connection.begin_nested():
            for statement in statements:
                connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _REFUSED:
            raise
        _log.warning(otherwise, reason=_first_line(error), see="docs/postgrest.md")
        return False
    return True


def _first_line(error: DBAPIError) -> str:
    cause = error.orig.__cause__ if error.orig is not None else None
    return str(cause or error.orig).partition("\n")[0]
