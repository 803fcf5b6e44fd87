"""Running the service until somebody stops it."""

from __future__ import annotations

import asyncio
import os
import signal

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from cli.base.keys import FIRST_KEY, first_key, revoke_key
from cli.console import err, note, out
from cli.errors import UsageError
from cli.running.child import log_fields, message_of
from cli.running.service import Service, ServiceOptions, start_service
from cli.running.service_file import RunningService, announced, find_service

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOWN_LEVELS = frozenset({"warning", "error", "critical"})
_EXPECTED_AT_START = frozenset({"inference_unavailable", "inference_away"})
"""The edge is there first and finds nobody; whoever waits for the start is told so anyway."""


def serve(options: ServiceOptions, *, shows_all_logs: bool) -> None:
    """Start the service; return once a signal stopped it. Raises what kept it from running."""
    asyncio.run(_until_stopped(options, shows_all_logs=shows_all_logs))


async def _until_stopped(options: ServiceOptions, *, shows_all_logs: bool) -> None:
    serving = asyncio.create_task(_serve(options, shows_all_logs=shows_all_logs))
    asked = 0

    def stop() -> None:
        # A first signal lets requests finish; the next ones cut the waiting short.
        nonlocal asked
        asked += 1
        if asked == 1:
            note("Stopping; requests in flight are finished. Once more stops at once.")
        serving.cancel()

    loop = asyncio.get_running_loop()
    for number in _STOPPING:
        loop.add_signal_handler(number, stop)
    try:
        await serving
    except asyncio.CancelledError:
        if not asked:
            raise
        note("Stopped.")
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)


async def _serve(options: ServiceOptions, *, shows_all_logs: bool) -> None:
    running = find_service(options.data_dir)
    if running is not None:
        raise UsageError(
            f"a service already runs on {options.data_dir}: {running.url}, process {running.pid}",
            "use that one, stop it, or name another --data-dir",
        )
    has_own_key = bool(os.environ.get("API_KEY"))
    key = None if has_own_key else await first_key(options.data_dir)
    is_up = False
    console = err()
    lines = LogLines(console, shows_all=shows_all_logs)
    try:
        with console.status("starting ...") as status:
            async with start_service(
                options,
                on_line=lines,
                on_step=lambda step: status.update(f"{escape(step)} ..."),
            ) as service:
                status.stop()
                lines.is_starting = False
                with announced(options.data_dir, RunningService(service.url, os.getpid())):
                    is_up = True
                    _welcome(service, key, has_own_key=has_own_key)
                    await service.until_death()
    finally:
        if key is not None and not is_up:
            # Nobody saw it: the next start that works makes another and shows that one.
            await revoke_key(options.data_dir, FIRST_KEY)


def _welcome(service: Service, key: str | None, *, has_own_key: bool) -> None:
    console, url = out(), service.url
    console.print(f"[bold]facesearch serves {url}[/]   (try it out: {url}/docs)", soft_wrap=True)
    console.print(f"Pack {escape(service.pack)}", soft_wrap=True)
    if key is not None:
        console.print(f'\nThe API key "{FIRST_KEY}", shown only now:\n\n  [bold green]{key}[/]')
        console.print(
            f"\n  export FACESEARCH_API_KEY={key}\n"
            "  facesearch index ~/Pictures --collection holiday\n"
            f"  curl -X POST {url}/search/ -H 'X-Api-Key: {key}' -F image=@selfie.jpg\n",
            soft_wrap=True,
        )
    elif has_own_key:
        console.print("The key is the one in API_KEY.")
    else:
        console.print(
            "The key was printed at the first start; `facesearch keys create NAME` makes another."
        )
    console.print("Ctrl-C stops it.")


class LogLines:
    """What the processes log, for whoever sits at the terminal."""

    def __init__(self, console: Console, *, shows_all: bool) -> None:
        self._console = console
        self._shows_all = shows_all
        self.is_starting = True
        """Whether one part may still wait for another."""

    def __call__(self, name: str, line: str) -> None:
        fields = log_fields(line)
        if self._shows_all or not fields:
            self._console.print(Text(line), soft_wrap=True)
        elif self.is_starting and fields.get("event") in _EXPECTED_AT_START:
            return
        elif fields.get("level") in _SHOWN_LEVELS:
            said = Text(f"{name} {fields['level']}: ", "yellow")
            self._console.print(said.append(message_of(fields), "default"), soft_wrap=True)
