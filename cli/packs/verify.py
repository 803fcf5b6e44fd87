"""Checking a pack as a start would, and a little more."""

from __future__ import annotations

from pathlib import Path

from cli.console import err, out, print_json
from cli.logs import quiet_logs
from cli.packs.choice import chosen_pack
from cli.packs.show import pack_facts
from inference.engine import open_engine
from inference.settings import load_settings


async def verify_pack(name: str, models_dir: Path | None, *, as_json: bool) -> None:
    """Load the pack, run both networks at every shape, say how they run.

    Raises StartError if anything about it is not as it should be.
    """
    quiet_logs()
    with err().status("running both networks ..."):
        async with open_engine(load_settings(None, **chosen_pack(name, models_dir))) as engine:
            info = engine.info
    networks = {
        role: {
            "runtime": running.runtime,
            "device": running.device,
            "is_batched": running.batched,
        }
        for role, running in (("detector", info.detector), ("recogniser", info.recogniser))
    }
    if as_json:
        print_json({**pack_facts(info.pack), "networks": networks, "is_sound": True})
        return
    console = out()
    stated = "as pack.toml says" if (info.pack.folder / "pack.toml").is_file() else "not stated"
    console.print(f"[green]✓[/] {info.pack.id} {info.pack.version}: digests {stated}")
    for role, network in networks.items():
        how = "in batches" if network["is_batched"] else "one image at a time"
        console.print(
            f"[green]✓[/] {role} runs on {network['device']} ({network['runtime']}), {how}"
        )
