-- The schema api and what the reader may see of it, by the user that facesearch itself logs in as:
--
--   psql "$STORAGE_RECORDS_URL" --file deploy/postgrest/views.sql
--
-- facesearch makes the same when it migrates its database. This is for the database where it might
-- not make a schema at that time, and for a role that was made later. It may be run again.

\set ON_ERROR_STOP on

BEGIN;

SELECT 'CREATE SCHEMA api'
WHERE to_regnamespace('api') IS NULL \gexec

CREATE OR REPLACE VIEW api.photos WITH (security_barrier) AS
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
JOIN revisions ON revisions.id = coalesce(photos.current_revision, photos.staged_revision);

CREATE OR REPLACE VIEW api.faces WITH (security_barrier) AS
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
JOIN faces ON faces.revision = coalesce(photos.current_revision, photos.staged_revision);

CREATE OR REPLACE VIEW api.spaces WITH (security_barrier) AS
SELECT spaces.id, spaces.pack, spaces.version, spaces.dim, spaces.state FROM spaces;

COMMENT ON VIEW api.photos IS 'Photos of the base, each once, as they are now.';
COMMENT ON VIEW api.faces IS 'Faces of these photos; boxes in pixels of the photo.';
COMMENT ON VIEW api.spaces IS 'Embedding spaces: which model made the vectors.';

SELECT statement
FROM (
    VALUES
        ('GRANT USAGE ON SCHEMA api TO facesearch_reader'),
        ('GRANT SELECT ON api.photos, api.faces, api.spaces TO facesearch_reader'),
        -- What later versions add is for the reader too.
        ('ALTER DEFAULT PRIVILEGES IN SCHEMA api GRANT SELECT ON TABLES TO facesearch_reader')
) AS grants (statement)
WHERE to_regrole('facesearch_reader') IS NOT NULL \gexec

COMMIT;

-- PostgREST, where it runs already, looks at the schema anew.
NOTIFY pgrst, 'reload schema';
