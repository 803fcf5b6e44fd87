"""What PostgREST does with a database, done by hand."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.contract.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "deploy" / "postgrest"
READER = "facesearch_reader"
AUTHENTICATOR = "facesearch_authenticator"


async def start_afresh(server: PostgresServer) -> str:
    """The URL of an empty database, on a server that knows neither schema nor roles."""
    url = await server.empty_database()
    await server.execute("postgres", "DROP SCHEMA IF EXISTS api CASCADE")
    for role in (AUTHENTICATOR, READER):
        await forget_role(server, role)
    return url


async def forget_role(server: PostgresServer, role: str) -> None:
    """Drop a role and all its rights, if there is one."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        if await connection.fetchval("SELECT to_regrole($1)::text", role) is not None:
            await connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
    finally:
        await connection.close()


async def run_script(
    server: PostgresServer, name: str, *, user: str = "postgres", **environment: str
) -> None:
    """A script of deploy/postgrest, by psql."""
    told = {"PGHOST": str(server.folder), "PGUSER": user, "PGDATABASE": "postgres"}
    psql = await asyncio.create_subprocess_exec(
        *(server.program("psql"), "--no-psqlrc", "--quiet", "--file", SCRIPTS / name),
        env=os.environ | told | environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await psql.communicate()
    if psql.returncode:
        raise ScriptFailed(said.decode())


class ScriptFailed(Exception):
    """psql ended with an error; the text is what it said."""


@asynccontextmanager
async def logged_in(server: PostgresServer, user: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of this user."""
    connection = await asyncpg.connect(url_of(server, user))
    try:
        yield connection
    finally:
        await connection.close()


def url_of(server: PostgresServer, user: str) -> str:
    """The URL of the database for another user than its owner."""
    return server.url("postgres").replace("//postgres@", f"//{user}@")


@asynccontextmanager
async def impersonating(
    connection: asyncpg.Connection, *, readonly: bool = True
) -> AsyncIterator[None]:
    """A transaction as PostgREST begins one for a request: GET is `readonly`, PATCH is not."""
    async with connection.transaction(readonly=readonly):
        await connection.execute(f"SET LOCAL ROLE {READER}; SET LOCAL search_path = api, public")
        yield


async def read(connection: asyncpg.Connection, query: str) -> Sequence[asyncpg.Record]:
    """What a GET answers."""
    async with impersonating(connection):
        rows: Sequence[asyncpg.Record] = await connection.fetch(query)
        return rows


async def definitions(server: PostgresServer) -> dict[str, object]:
    """Each view of the schema `api`: its query, its options and its comment."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        rows = await connection.fetch(
            "SELECT relname, reloptions, pg_get_viewdef(oid) AS query, obj_description(oid) AS said"
            " FROM pg_class WHERE relnamespace = to_regnamespace('api') AND relkind = 'v'"
        )
    finally:
        await connection.close()
    return {row["relname"]: (row["query"], row["reloptions"], row["said"]) for row in rows}
