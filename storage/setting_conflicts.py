"""Settings that are fine each, and make no sense together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.settings import StorageSettings

PREFIX = "STORAGE_"


def check(settings: StorageSettings) -> None:
    """Raises ValueError that names two settings which contradict each other."""
    _check_vectors(settings)
    _check_records(settings)
    _check_photos(settings)


def _check_vectors(settings: StorageSettings) -> None:
    of_a_server = {
        "VECTORS_TOKEN": bool(settings.vectors_token.get_secret_value()),
        "VECTORS_DATABASE": bool(settings.vectors_database),
        "VECTORS_TLS_CA": settings.vectors_tls_ca is not None,
        "VECTORS_TLS_CERT": settings.vectors_tls_cert is not None,
        "VECTORS_TLS_KEY": settings.vectors_tls_key is not None,
        "VECTORS_INDEX": settings.vectors_index != "FLAT",
        "VECTORS_INDEX_PARAMS": bool(settings.vectors_index_params),
        "VECTORS_SEARCH_PARAMS": bool(settings.vectors_search_params),
        "VECTORS_REPLICAS": settings.vectors_replicas != 0,
        "VECTORS_PARTITION_KEY_ISOLATION": settings.vectors_partition_key_isolation,
    }
    if not settings.uses_milvus_server:
        _none_of(of_a_server, f"is for a Milvus server: set {PREFIX}VECTORS_URL too")
    if not settings.vectors_url.startswith("https://"):
        _none_of(
            {name: is_set for name, is_set in of_a_server.items() if "_TLS_" in name},
            f"is for https://: change {PREFIX}VECTORS_URL, which is http://",
        )
    _check_identity(settings)
    if settings.vectors_partition_key_isolation and settings.vectors_index != "HNSW":
        raise ValueError(
            f"{PREFIX}VECTORS_PARTITION_KEY_ISOLATION needs {PREFIX}VECTORS_INDEX=HNSW: "
            "Milvus knows it for that index alone"
        )


def _check_identity(settings: StorageSettings) -> None:
    if (settings.vectors_tls_cert is None) != (settings.vectors_tls_key is None):
        raise ValueError(f"set {PREFIX}VECTORS_TLS_CERT and {PREFIX}VECTORS_TLS_KEY together")
    if settings.vectors_tls_cert is not None and settings.vectors_tls_ca is None:
        # Without it pymilvus would show no certificate.
        raise ValueError(f"{PREFIX}VECTORS_TLS_CERT needs {PREFIX}VECTORS_TLS_CA too")


def _check_records(settings: StorageSettings) -> None:
    if not settings.uses_postgresql and "records_connections" in settings.model_fields_set:
        raise ValueError(
            f"{PREFIX}RECORDS_CONNECTIONS is for PostgreSQL: set {PREFIX}RECORDS_URL too"
        )


def _check_photos(settings: StorageSettings) -> None:
    has_key = bool(settings.photos_access_key.get_secret_value())
    has_secret = bool(settings.photos_secret_key.get_secret_value())
    of_s3 = {
        "PHOTOS_ENDPOINT": bool(settings.photos_endpoint),
        "PHOTOS_REGION": bool(settings.photos_region),
        "PHOTOS_ACCESS_KEY": has_key,
        "PHOTOS_SECRET_KEY": has_secret,
        "PHOTOS_PATH_STYLE": not settings.photos_path_style,
    }
    if not settings.uses_s3:
        _none_of(of_s3, f"is for S3: set {PREFIX}PHOTOS_URL=s3://bucket/prefix too")
    if has_key != has_secret:
        raise ValueError(f"set {PREFIX}PHOTOS_ACCESS_KEY and {PREFIX}PHOTOS_SECRET_KEY together")


def _none_of(settings: dict[str, bool], otherwise: str) -> None:
    for name, is_set in settings.items():
        if is_set:
            raise ValueError(f"{PREFIX}{name} {otherwise}")
