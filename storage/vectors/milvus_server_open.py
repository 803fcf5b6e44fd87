"""A Milvus server as the settings describe it.

Importing this imports pymilvus, and nothing of Milvus Lite: its engine would take 50 MB that nobody
uses. See `storage.open`.
"""

from __future__ import annotations

import structlog

from storage.errors import StoreMisconfigured, VectorsUnavailable
from storage.settings import StorageSettings
from storage.vectors.milvus import MilvusVectorStore
from storage.vectors.milvus_errors import VectorsRefused
from storage.vectors.milvus_schema import MilvusIndex
from storage.vectors.milvus_server import MilvusServer
from storage.vectors.milvus_tls import MilvusTls

_log = structlog.get_logger(__name__)


async def open_server(settings: StorageSettings) -> MilvusVectorStore:
    """The store on the server that the settings name.

    Raises StoreMisconfigured for a TLS file that is no good, and if the server refuses the token,
    has no such database or is not the one its certificate says. One that does not answer is left
    for later: calls raise VectorsUnavailable until it does.
    """
    tls = MilvusTls(settings.vectors_tls_ca, settings.vectors_tls_cert, settings.vectors_tls_key)
    tls.check()
    server = MilvusServer(
        settings.vectors_url,
        token=settings.vectors_token.get_secret_value(),
        database=settings.vectors_database,
        tls=tls,
        timeout_seconds=settings.timeout_seconds,
    )
    try:
        await server.prove()
    except VectorsRefused as error:
        await server.close()
        raise StoreMisconfigured(str(error)) from error
    except VectorsUnavailable as error:
        _log.warning("vectors_unavailable", reason=str(error))
    except BaseException:
        await server.close()
        raise
    return MilvusVectorStore(
        server,
        index=MilvusIndex(
            settings.vectors_index, settings.vectors_index_params, settings.vectors_search_params
        ),
        consistency=settings.vectors_consistency,
        replicas=settings.vectors_replicas,
        isolated=settings.vectors_partition_key_isolation,
    )
