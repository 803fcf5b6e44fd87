"""How many edge processes share a port."""

from __future__ import annotations

import pytest

from edge.errors import StartRefused
from edge.settings import EdgeSettings, SettingsError, load_settings
from edge.workers.count import worker_count
from storage.settings import StorageSettings

LITE = StorageSettings()
SERVER = StorageSettings(vectors_url="http://milvus:19530")


@pytest.mark.parametrize(
    ("cores", "storage", "count"), [(1, SERVER, 1), (8, SERVER, 2), (64, SERVER, 16), (8, LITE, 1)]
)
def test_auto_takes_what_works_and_leaves_the_cores_to_inference(
    cores: int, storage: StorageSettings, count: int
) -> None:
    assert worker_count("auto", storage, cores) == count


def test_as_many_as_were_asked_for_share_a_milvus_server() -> None:
    assert worker_count(3, SERVER, 1) == 3
    assert worker_count(1, LITE, 8) == 1


@pytest.mark.parametrize(
    ("storage", "reason"),
    [
        (LITE, "Milvus Lite"),
        (SERVER.model_copy(update={"records_url": "memory://"}), "memory://"),
        (SERVER.model_copy(update={"photos_url": "memory://"}), "memory://"),
    ],
)
def test_several_are_refused_in_one_line_where_the_base_belongs_to_one(
    storage: StorageSettings, reason: str
) -> None:
    with pytest.raises(StartRefused, match=reason) as refused:
        worker_count(2, storage, 8)
    assert "\n" not in str(refused.value)
    assert "EDGE_WORKERS=1" in str(refused.value)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_number_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EDGE_WORKERS", value)
    with pytest.raises(SettingsError, match="EDGE_WORKERS"):
        load_settings()


@pytest.mark.parametrize(("value", "workers"), [("auto", "auto"), ("4", 4)])
def test_workers_are_a_number_or_auto(
    monkeypatch: pytest.MonkeyPatch, value: str, workers: int | str
) -> None:
    monkeypatch.setenv("EDGE_WORKERS", value)
    assert load_settings().workers == workers
    assert EdgeSettings().workers == workers
