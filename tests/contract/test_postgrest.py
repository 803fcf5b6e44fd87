"""The views that PostgREST serves: what they show, and that nothing else can be read or written.

PostgREST itself does not run here. Its part is played by hand: log in as the authenticator, begin a
transaction, SET LOCAL ROLE, SELECT.
"""

from __future__ import annotations

import configparser
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from storage.identity import PhotoKey
from storage.records.model import PhotoFilter, Space, SpaceState
from storage.records.sql import SqlRecordStore
from tests.contract.postgres_server import PostgresServer
from tests.contract.postgrest_views import (
    AUTHENTICATOR,
    READER,
    SCRIPTS,
    ScriptFailed,
    definitions,
    forget_role,
    impersonating,
    logged_in,
    read,
    run_script,
    start_afresh,
    url_of,
)
from tests.contract.sample_photos import BEACH, SPACE, began, detected, enrolled, sha256

OWNER = "facesearch"
PASSWORD = "of the authenticator"
OTHER = PhotoKey("", "other.jpg")
REFUSALS = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # nobody writes through a view of two tables
)


@pytest.fixture
async def base(postgres: PostgresServer) -> AsyncIterator[SqlRecordStore]:
    """Empty records in PostgreSQL, and the roles of PostgREST."""
    store = await SqlRecordStore.open(await start_afresh(postgres), timeout_seconds=30)
    await run_script(postgres, "roles.sql", PGRST_PASSWORD=PASSWORD)
    yield store
    await store.close()


@pytest.fixture
async def visitor(
    base: SqlRecordStore, postgres: PostgresServer
) -> AsyncIterator[asyncpg.Connection]:
    """PostgREST's connection."""
    async with logged_in(postgres, AUTHENTICATOR) as connection:
        yield connection


@pytest.fixture
async def owner(postgres: PostgresServer) -> AsyncIterator[str]:
    """A user as a managed database gives: it may use the schema public, and no more."""
    await start_afresh(postgres)
    await forget_role(postgres, OWNER)
    await postgres.execute("postgres", f"CREATE ROLE {OWNER} LOGIN")
    await postgres.execute("postgres", f"GRANT ALL ON SCHEMA public TO {OWNER}")
    yield url_of(postgres, OWNER)
    await start_afresh(postgres)
    await forget_role(postgres, OWNER)


async def test_the_views_show_what_the_listing_shows(
    base: SqlRecordStore, visitor: asyncpg.Connection
) -> None:
    await enrolled(base, PhotoKey("a", "indexed"))
    await enrolled(base, PhotoKey("b", "replaced"), content=1)
    await enrolled(base, PhotoKey("b", "replaced"), content=2, faces=1)
    await detected(base, PhotoKey("", "detected"))
    await detected(base, PhotoKey("a", "nobody"), faces=0)
    await enrolled(base, PhotoKey("a", "detected anew"), content=1)
    await detected(base, PhotoKey("a", "detected anew"), content=2)
    lost = await enrolled(base, PhotoKey("a", "lost"))
    await base.mark_lost(lost.photo.revision.id, lost=True)
    await enrolled(base, PhotoKey("a", "removed"))
    await base.remove_photo(PhotoKey("a", "removed"))
    await began(base, PhotoKey("a", "being written"))

    listed = await base.list_photos(PhotoFilter(), after=None, limit=100)
    shown = await read(visitor, "SELECT * FROM photos ORDER BY photo_id, collection_id")

    assert [
        (
            PhotoKey(row["collection_id"], row["photo_id"]),
            row["revision"],
            row["sha256"],
            row["status"],
            row["faces_detected"],
            row["faces_indexed"],
            row["created_at"],
            row["updated_at"],
        )
        for row in shown
    ] == [
        (
            line.photo,
            line.revision,
            line.sha256,
            line.status.value,
            line.faces_detected,
            line.faces_indexed,
            line.created_at,
            line.updated_at,
        )
        for line in listed.items
    ]
    assert {row["status"] for row in shown} == {"indexed", "detected", "no_faces", "failed"}


async def test_faces_are_shown_with_their_photo_and_its_frame(
    base: SqlRecordStore, visitor: asyncpg.Connection
) -> None:
    photo = (await enrolled(base)).photo
    await enrolled(base, OTHER)

    faces = await read(visitor, "SELECT * FROM faces WHERE photo_id = 'beach.jpg' ORDER BY number")

    assert [row["face_id"] for row in faces] == [face.face_id for face in photo.faces]
    assert {(row["collection_id"], row["revision"]) for row in faces} == {
        (BEACH.collection_id, photo.revision.id)
    }
    first, seen = faces[0], photo.faces[0].seen
    box = seen.box
    assert (first["x"], first["y"], first["width"], first["height"]) == (
        box.x,
        box.y,
        box.width,
        box.height,
    )
    assert (first["status"], first["space_id"]) == ("indexed", SPACE)
    assert (first["quality"], first["detection_score"]) == (
        seen.quality.overall,
        seen.detection_score,
    )


async def test_a_removed_photo_is_gone_from_every_view(
    base: SqlRecordStore, visitor: asyncpg.Connection
) -> None:
    await enrolled(base)
    await base.remove_photo(BEACH)

    assert await read(visitor, "SELECT * FROM photos") == []
    assert await read(visitor, "SELECT * FROM faces") == []


async def test_the_spaces_are_shown(base: SqlRecordStore, visitor: asyncpg.Connection) -> None:
    await base.add_space(Space(SPACE, "starter", "1", 128, SpaceState.ACTIVE))

    (space,) = await read(visitor, "SELECT * FROM spaces")

    assert dict(space) == {
        "id": SPACE,
        "pack": "starter",
        "version": "1",
        "dim": 128,
        "state": "active",
    }


async def test_the_reader_may_do_nothing_but_read_the_views(visitor: asyncpg.Connection) -> None:
    for statement in (
        "SELECT * FROM public.api_keys",
        "SELECT * FROM public.photos",
        "SELECT * FROM public.revisions",
        "SELECT * FROM public.faces",
        "SELECT * FROM public.leases",
        "SELECT * FROM public.jobs",
        "INSERT INTO api.spaces VALUES ('s', 'p', '1', 4, 'active')",
        "INSERT INTO api.photos (photo_id) VALUES ('p')",
        "UPDATE api.spaces SET state = 'retired'",
        "DELETE FROM api.spaces",
        "TRUNCATE public.photos",
        "CREATE TABLE api.mine (n int)",
        "CREATE TABLE public.mine (n int)",
        "CREATE FUNCTION api.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP VIEW api.photos",
        "CREATE ROLE mine",
        f"ALTER ROLE {READER} SUPERUSER",
    ):
        with pytest.raises(REFUSALS):
            async with impersonating(visitor, readonly=False):
                await visitor.execute(statement)


async def test_the_authenticator_itself_reads_nothing(visitor: asyncpg.Connection) -> None:
    for table in ("api.photos", "public.photos", "public.api_keys"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await visitor.fetch(f"TABLE {table}")


async def test_the_authenticator_becomes_nobody_but_the_reader(
    visitor: asyncpg.Connection,
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await visitor.execute("SET ROLE postgres")


async def test_a_function_of_the_reader_sees_no_row_that_is_not_shown(
    base: SqlRecordStore, visitor: asyncpg.Connection
) -> None:
    await enrolled(base, content=1)
    await enrolled(base, content=2)  # the first is garbage now, and its row still there
    seen: list[str] = []
    visitor.add_log_listener(lambda _, message: seen.append(str(message)))

    async with impersonating(visitor, readonly=False):
        await visitor.execute(
            "CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql "
            "COST 0.0000001 AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"
        )
        await visitor.fetch("SELECT * FROM api.photos WHERE pg_temp.tell(sha256)")

    assert any(sha256(2) in line for line in seen)
    assert not any(sha256(1) in line for line in seen)


async def test_the_rows_of_one_photo_are_found_by_an_index(
    base: SqlRecordStore, visitor: asyncpg.Connection
) -> None:
    await enrolled(base)
    for query in (
        "SELECT * FROM photos WHERE photo_id = 'beach.jpg'",
        "SELECT * FROM faces WHERE photo_id = 'beach.jpg'",
    ):
        async with impersonating(visitor):
            # So few rows are read as fast without one.
            await visitor.execute("SET LOCAL enable_seqscan = off")
            plan = await visitor.fetch(f"EXPLAIN {query}")

        text = "\n".join(row[0] for row in plan)
        assert "Seq Scan" not in text, text
        assert "Index Cond: (photo_id = 'beach.jpg'::text)" in text, text


async def test_a_user_who_may_make_no_schema_gets_no_views_and_starts(
    owner: str, postgres: PostgresServer
) -> None:
    with capture_logs() as lines:
        store = await SqlRecordStore.open(owner, timeout_seconds=30)
    assert (await enrolled(store)).created
    await store.close()

    assert await definitions(postgres) == {}
    (line,) = [line for line in lines if line["event"] == "views_not_made"]
    assert "permission denied for database" in line["reason"]
    assert line["see"] == "docs/postgrest.md"

    # Later, as the page says.
    await postgres.execute("postgres", f"GRANT CREATE ON DATABASE postgres TO {OWNER}")
    await run_script(postgres, "roles.sql", PGRST_PASSWORD=PASSWORD)
    await run_script(postgres, "views.sql", user=OWNER)
    async with logged_in(postgres, AUTHENTICATOR) as visitor:
        assert [row["photo_id"] for row in await read(visitor, "TABLE photos")] == ["beach.jpg"]


async def test_a_user_who_may_make_no_roles_gets_views_that_are_granted_later(
    owner: str, postgres: PostgresServer
) -> None:
    await postgres.execute("postgres", f"GRANT CREATE ON DATABASE postgres TO {OWNER}")
    with capture_logs() as lines:
        await (await SqlRecordStore.open(owner, timeout_seconds=30)).close()

    assert set(await definitions(postgres)) == {"photos", "faces", "spaces"}
    assert [line["event"] for line in lines] == ["role_not_made"]

    await run_script(postgres, "roles.sql", PGRST_PASSWORD=PASSWORD)
    async with logged_in(postgres, AUTHENTICATOR) as visitor:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await read(visitor, "TABLE api.photos")
        await run_script(postgres, "views.sql", user=OWNER)
        assert await read(visitor, "TABLE api.photos") == []


async def test_a_schema_of_somebody_else_is_left_alone(
    owner: str, postgres: PostgresServer
) -> None:
    await postgres.execute("postgres", "CREATE SCHEMA api; CREATE TABLE api.photos (mine int)")
    await postgres.execute("postgres", f"GRANT ALL ON SCHEMA api TO {OWNER}")
    with capture_logs() as lines:
        await (await SqlRecordStore.open(owner, timeout_seconds=30)).close()

    assert await definitions(postgres) == {}
    (line,) = [line for line in lines if line["event"] == "views_not_made"]
    assert 'relation "photos" already exists' in line["reason"]


async def test_the_script_makes_the_views_that_the_migrations_make(
    base: SqlRecordStore, postgres: PostgresServer
) -> None:
    migrated = await definitions(postgres)
    await postgres.execute("postgres", "DROP SCHEMA api CASCADE")

    for _ in range(2):
        await run_script(postgres, "views.sql")

    assert await definitions(postgres) == migrated
    assert migrated


async def test_later_views_are_for_the_reader_too(
    postgres: PostgresServer, visitor: asyncpg.Connection
) -> None:
    await postgres.execute("postgres", "CREATE VIEW api.later AS SELECT 1 AS one")

    assert [row["one"] for row in await read(visitor, "TABLE later")] == [1]


async def test_the_script_of_the_roles_may_run_again_and_wants_a_password(
    base: SqlRecordStore, postgres: PostgresServer
) -> None:
    await run_script(postgres, "roles.sql", PGRST_PASSWORD=PASSWORD)

    with pytest.raises(ScriptFailed, match="set PGRST_PASSWORD"):
        await run_script(postgres, "roles.sql")


async def test_the_configuration_names_the_roles_and_the_schema() -> None:
    text = (SCRIPTS / "postgrest.conf").read_text(encoding="utf-8")
    settings = configparser.ConfigParser()
    settings.read_string(f"[postgrest]\n{text}")
    told = settings["postgrest"]

    assert told["db-schemas"] == '"api"'
    assert f"//{AUTHENTICATOR}@" in told["db-uri"]
    assert "db-anon-role" not in told  # nobody reads without a token, unless somebody decides so
    assert told["jwt-secret"].startswith('"@/')
    assert f'# db-anon-role = "{READER}"' in text
