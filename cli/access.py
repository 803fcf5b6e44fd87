"""How a command reaches a service: the one it is told, the one that runs, or one of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.markup import escape

from cli.console import err
from cli.errors import UsageError
from cli.rest.client import EdgeClient
from cli.running.service import Service, ServiceOptions, start_service
from cli.running.service_file import find_service

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceChoice:
    """What the command line says about the service."""

    url: str | None
    key: str | None
    data_dir: Path
    models_dir: Path | None
    pack: str | None


@dataclass(frozen=True, slots=True)
class Access:
    """A service that answers."""

    client: EdgeClient
    is_local: bool
    """Whether it works on the data folder of this command, so that its records are at hand."""
    own: Service | None = None

    async def guard(self, work: Coroutine[object, object, T]) -> T:
        """The result of `work`; ends early if a service that was started for it dies."""
        return await work if self.own is None else await self.own.before_death(work)


@asynccontextmanager
async def reach(choice: ServiceChoice) -> AsyncIterator[Access]:
    """A service, and a key that it takes.

    With a URL: that one. Otherwise the one that runs on the data folder. Otherwise one that is
    started on the data folder, with a key of its own, and stopped afterwards. Raises UsageError if
    a running one needs a key and none was given.
    """
    running = find_service(choice.data_dir) if choice.url is None else None
    url = running.url if running is not None else choice.url
    if url is not None:
        if not choice.key:
            raise UsageError(
                f"the service at {url} needs an API key; it was printed when it was made",
                'export FACESEARCH_API_KEY=..., or make one: "facesearch keys create NAME"',
            )
        async with EdgeClient(url, choice.key) as client:
            await client.check_key()
            yield Access(client, is_local=running is not None)
        return
    key = secrets.token_urlsafe(32)
    options = ServiceOptions(
        choice.data_dir, choice.models_dir, choice.pack, host="127.0.0.1", port=0, api_key=key
    )
    with err().status("starting the service ...") as status:
        async with start_service(
            options,
            on_line=lambda _name, _line: None,
            on_step=lambda step: status.update(f"starting the service: {escape(step)} ..."),
        ) as service:
            status.stop()
            async with EdgeClient(service.url, key) as client:
                yield Access(client, is_local=True, own=service)
            status.update("stopping the service ...")
            status.start()
