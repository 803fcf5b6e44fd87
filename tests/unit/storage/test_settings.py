"""Settings of the stores: what is unknown, impossible or contradictory stops the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import StoreMisconfigured
from storage.settings import PREFIX, StorageSettings, load_settings


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in StorageSettings.model_fields:
        monkeypatch.delenv(PREFIX + field.upper(), raising=False)


def test_without_settings_everything_is_in_the_data_folder() -> None:
    settings = load_settings()

    assert settings.data_dir == Path("data")
    assert settings.needs_data_dir
    assert not settings.uses_milvus_server


def test_the_environment_is_read_and_flags_go_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_DATA_DIR", "/a")
    monkeypatch.setenv("STORAGE_VECTORS_URL", "http://milvus:19530")
    monkeypatch.setenv("STORAGE_VECTORS_TOKEN", "root:Milvus")
    monkeypatch.setenv("STORAGE_VECTORS_INDEX", "HNSW")
    monkeypatch.setenv("STORAGE_VECTORS_INDEX_PARAMS", '{"M": 16}')
    monkeypatch.setenv("STORAGE_TIMEOUT_SECONDS", "")

    settings = load_settings(data_dir="/b")

    assert settings.data_dir == Path("/b")
    assert settings.uses_milvus_server
    assert settings.vectors_token.get_secret_value() == "root:Milvus"
    assert "Milvus" not in repr(settings)
    assert settings.vectors_index_params == {"M": 16}
    assert settings.timeout_seconds == 5


def test_a_server_for_each_needs_no_data_folder() -> None:
    settings = load_settings(
        vectors_url="https://milvus",
        records_url="postgresql://u:p@host/db",
        photos_url="file:///photos",
    )

    assert not settings.needs_data_dir


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("STORAGE_DATADIR", "STORAGE_DATA_DIR"),
        ("STORAGE_VECTORS_FOO", "STORAGE_VECTORS_"),
        ("STORAGE_VECTORS_REPLICA", "STORAGE_VECTORS_REPLICAS"),
        ("STORAGE_VECTORS_TLS_CERTIFICATE", "STORAGE_VECTORS_TLS_CERT"),
        ("storage_records_connection", "STORAGE_RECORDS_CONNECTIONS"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, misspelt: str, meant: str
) -> None:
    monkeypatch.setenv(misspelt, "anything")

    with pytest.raises(StoreMisconfigured, match=f"{misspelt}; did you mean {meant}"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("VECTORS_URL", "milvus:19530", "use http://host:port"),
        ("VECTORS_URL", "http://", "use http://host:port"),
        ("VECTORS_URL", "http://host:99999", "no URL"),
        ("VECTORS_URL", "vectors.db", "use http://host:port"),
        ("RECORDS_URL", "mysql://host", "use postgresql://"),
        ("PHOTOS_URL", "s3://", "use s3://bucket/prefix"),
        ("PHOTOS_URL", "s3://key:secret@bucket/prefix", "use s3://bucket/prefix"),
        ("PHOTOS_URL", "s3://bucket//prefix", "use s3://bucket/prefix"),
        ("PHOTOS_URL", "s3://bucket/a/../b", "use s3://bucket/prefix"),
        ("PHOTOS_URL", "file://relative/folder", "file:///folder"),
        ("PHOTOS_ENDPOINT", "minio:9000", "use https://host"),
        ("PHOTOS_ENDPOINT", "http://minio:9000/bucket", "use https://host"),
        ("PHOTOS_CONNECTIONS", "0", "must be a whole number from 1 to 1000"),
        ("VECTORS_INDEX", "GARBAGE", "must be 'FLAT'"),
        ("VECTORS_INDEX_PARAMS", "{M", "no JSON"),
        ("VECTORS_CONSISTENCY", "eventually", "'bounded' or 'strong'"),
        ("VECTORS_REPLICAS", "-1", "must be a whole number from 0 to 1000"),
        ("VECTORS_PARTITION_KEY_ISOLATION", "perhaps", "must be true or false"),
        ("RECORDS_CONNECTIONS", "0", "must be a whole number from 1 to 1000"),
        ("TIMEOUT_SECONDS", "0", "must be a number above 0 and at most 600"),
        ("TIMEOUT_SECONDS", "nan", "must be a number above 0"),
    ],
)
def test_an_impossible_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(
        StoreMisconfigured, match=rf"^{PREFIX}{name}(=-?[01])?: .*({said})"
    ) as refused:
        load_settings()

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VECTORS_TOKEN", "root:Milvus"),
        ("VECTORS_INDEX", "HNSW"),
        ("VECTORS_INDEX_PARAMS", '{"M": 16}'),
        ("VECTORS_SEARCH_PARAMS", '{"ef": 16}'),
        ("VECTORS_DATABASE", "faces"),
        ("VECTORS_TLS_CA", "ca.pem"),
        ("VECTORS_TLS_CERT", "client.pem"),
        ("VECTORS_TLS_KEY", "client.key"),
        ("VECTORS_REPLICAS", "2"),
        ("VECTORS_PARTITION_KEY_ISOLATION", "true"),
    ],
)
@pytest.mark.parametrize("url", ["", "memory://"])
def test_what_is_for_a_server_contradicts_no_server(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, url: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    monkeypatch.setenv("STORAGE_VECTORS_URL", url)

    with pytest.raises(StoreMisconfigured, match=f"{name} is for a Milvus server"):
        load_settings()


@pytest.mark.parametrize("url", ["s3://bucket", "s3://my.bucket-1/", "s3://bucket/a/b_c.d"])
def test_photos_may_be_in_a_bucket(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("STORAGE_PHOTOS_URL", url)
    monkeypatch.setenv("STORAGE_PHOTOS_ENDPOINT", "http://minio:9000/")
    monkeypatch.setenv("STORAGE_PHOTOS_ACCESS_KEY", "key")
    monkeypatch.setenv("STORAGE_PHOTOS_SECRET_KEY", "of nobody else")

    settings = load_settings()

    assert settings.uses_s3
    assert settings.photos_endpoint == "http://minio:9000"
    assert "of nobody else" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", "http://minio:9000"),
        ("REGION", "ru-central1"),
        ("ACCESS_KEY", "key"),
        ("SECRET_KEY", "secret"),
        ("PATH_STYLE", "false"),
    ],
)
def test_what_is_for_s3_contradicts_a_folder(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"STORAGE_PHOTOS_{name}", value)

    with pytest.raises(
        StoreMisconfigured, match=f"PHOTOS_{name} is for S3: set STORAGE_PHOTOS_URL"
    ):
        load_settings()


@pytest.mark.parametrize("name", ["ACCESS_KEY", "SECRET_KEY"])
def test_half_a_key_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("STORAGE_PHOTOS_URL", "s3://bucket")
    monkeypatch.setenv(f"STORAGE_PHOTOS_{name}", "something")

    with pytest.raises(StoreMisconfigured, match="ACCESS_KEY and STORAGE_PHOTOS_SECRET_KEY tog"):
        load_settings()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"VECTORS_TLS_CA": "ca.pem"}, "VECTORS_TLS_CA is for https://"),
        ({"VECTORS_TLS_CERT": "c.pem", "VECTORS_TLS_KEY": "k.pem"}, "VECTORS_TLS_CERT is for http"),
        (
            {"VECTORS_URL": "https://m", "VECTORS_TLS_CERT": "c.pem", "VECTORS_TLS_CA": "ca.pem"},
            "VECTORS_TLS_CERT and STORAGE_VECTORS_TLS_KEY together",
        ),
        (
            {"VECTORS_URL": "https://m", "VECTORS_TLS_CERT": "c.pem", "VECTORS_TLS_KEY": "k.pem"},
            "VECTORS_TLS_CERT needs STORAGE_VECTORS_TLS_CA",
        ),
        ({"VECTORS_PARTITION_KEY_ISOLATION": "true"}, "needs STORAGE_VECTORS_INDEX=HNSW"),
        (
            {"VECTORS_PARTITION_KEY_ISOLATION": "true", "VECTORS_INDEX": "HNSW_SQ"},
            "needs STORAGE_VECTORS_INDEX=HNSW",
        ),
        ({"RECORDS_CONNECTIONS": "20"}, "RECORDS_CONNECTIONS is for PostgreSQL"),
        (
            {"RECORDS_CONNECTIONS": "20", "RECORDS_URL": "sqlite:///records.sqlite"},
            "RECORDS_CONNECTIONS is for PostgreSQL",
        ),
    ],
)
def test_two_settings_that_make_no_sense_together_are_both_named(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("STORAGE_VECTORS_URL", "http://milvus:19530")
    for name, value in told.items():
        monkeypatch.setenv(PREFIX + name, value)

    with pytest.raises(StoreMisconfigured, match=said) as refused:
        load_settings()

    assert "\n" not in str(refused.value)


def test_a_cluster_is_described_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "VECTORS_URL": "https://milvus:19530",
        "VECTORS_TOKEN": "root:Milvus",
        "VECTORS_DATABASE": "faces",
        "VECTORS_TLS_CA": "/ca.pem",
        "VECTORS_TLS_CERT": "/client.pem",
        "VECTORS_TLS_KEY": "/client.key",
        "VECTORS_INDEX": "HNSW",
        "VECTORS_INDEX_PARAMS": '{"M": 32, "refine": true}',
        "VECTORS_REPLICAS": "2",
        "VECTORS_PARTITION_KEY_ISOLATION": "true",
        "RECORDS_URL": "postgresql+asyncpg://u:p@host/db",
        "RECORDS_CONNECTIONS": "4",
    }
    for name, value in told.items():
        monkeypatch.setenv(PREFIX + name, value)

    settings = load_settings()

    assert settings.vectors_tls_ca == Path("/ca.pem")
    assert settings.vectors_index_params == {"M": 32, "refine": True}
    assert (settings.vectors_replicas, settings.records_connections) == (2, 4)
    assert settings.uses_postgresql


def test_a_password_is_not_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_RECORDS_URL", "mysql://user:secret@host")

    with pytest.raises(StoreMisconfigured) as refused:
        load_settings()

    assert "secret" not in str(refused.value)


def test_every_setting_is_described() -> None:
    for name, field in StorageSettings.model_fields.items():
        assert field.description, name
