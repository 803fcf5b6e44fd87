"""The packs that are measured side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.console import err
from cli.errors import UsageError
from cli.packs.choice import chosen_pack
from inference.engine import Engine, open_engine
from inference.models.find import find_pack
from inference.models.pack import Pack, load_pack
from inference.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class MeasuredPack:
    """A pack, and how it is called in the tables."""

    title: str
    """Its id; where another one has the same, its version or its folder too."""
    settings: Settings


def packs_to_measure(asked: Sequence[str], models_dir: Path | None) -> Sequence[MeasuredPack]:
    """The packs asked for, in this order, or the default one.

    All are opened before the first is measured: a wrong name must not cost an hour. Raises
    UsageError: one is asked for twice; PackError: one is missing or damaged.
    """
    names: Sequence[str | None] = asked or (None,)
    every = [load_settings(None, **chosen_pack(name, models_dir)) for name in names]
    packs = [load_pack(find_pack(each.pack, each.models_dir)) for each in every]
    folders = Counter(pack.folder.resolve() for pack in packs)
    twice = next((folder for folder, times in folders.items() if times > 1), None)
    if twice is not None:
        raise UsageError(f"the pack in {twice} is asked for twice")
    return [MeasuredPack(title, each) for title, each in zip(titles_of(packs), every, strict=True)]


def titles_of(packs: Sequence[Pack]) -> Sequence[str]:
    """What tells them apart, as short as it can be. No two may lie in one folder."""
    ways: Sequence[Callable[[Pack], str]] = (
        lambda pack: pack.id,
        lambda pack: f"{pack.id} {pack.version}",
        lambda pack: str(pack.folder),
    )
    by_way = [[way(pack) for pack in packs] for way in ways]
    return [
        next(titles[place] for titles in by_way if titles.count(titles[place]) == 1)
        for place in range(len(packs))
    ]


@asynccontextmanager
async def opened(pack: MeasuredPack) -> AsyncIterator[Engine]:
    """Its engine, as the server runs it, warm. Raises StartError."""
    with err().status(f"loading {pack.title} ...") as status:
        async with open_engine(pack.settings) as engine:
            status.stop()
            yield engine
