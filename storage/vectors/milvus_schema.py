"""How a space looks in Milvus: one collection, named after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pymilvus import DataType, MilvusClient

from storage.errors import StoreMisconfigured
from storage.identity import SpaceId
from storage.vectors.validation import MAX_ID_BYTES, MAX_NAME_BYTES

METRIC = "IP"  # of unit vectors: the cosine
KEY_FIELDS = ("face_id", "collection_id", "photo_id", "revision")
VECTOR_FIELD = "vector"


@dataclass(frozen=True, slots=True)
class MilvusIndex:
    """How a server indexes the vectors. An approximate index makes searches approximate."""

    kind: str = "FLAT"
    build: Mapping[str, int | float | str] = field(default_factory=dict)
    """For example {"M": 16, "efConstruction": 200} for HNSW."""
    search: Mapping[str, int | float | str] = field(default_factory=dict)
    """For example {"ef": 128} for HNSW."""

    def search_params(self, limit: int) -> dict[str, object]:
        """What a search for `limit` rows sends."""
        params = dict(self.search)
        if self.kind.startswith("HNSW"):
            # Milvus refuses a search whose ef is below its limit.
            params["ef"] = max(int(params.get("ef", 0)), limit)
        return {"metric_type": METRIC, "params": params}


def create(client: MilvusClient, space: SpaceId, dim: int, timeout: float) -> None:
    """Make the collection, without an index."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("face_id", DataType.VARCHAR, is_primary=True, max_length=MAX_ID_BYTES)
    # The partition key can only be chosen now: a search within collections reads a part only.
    schema.add_field(
        "collection_id", DataType.VARCHAR, max_length=MAX_NAME_BYTES, is_partition_key=True
    )
    schema.add_field("photo_id", DataType.VARCHAR, max_length=MAX_NAME_BYTES)
    schema.add_field("revision", DataType.VARCHAR, max_length=MAX_ID_BYTES)
    schema.add_field(VECTOR_FIELD, DataType.FLOAT_VECTOR, dim=dim)
    client.create_collection(space, schema=schema, timeout=timeout)


def index(client: MilvusClient, space: SpaceId, how: MilvusIndex, timeout: float) -> None:
    """Index the vectors, if they are not: a server searches no collection without an index."""
    if client.list_indexes(space):
        return
    params = client.prepare_index_params()
    params.add_index(VECTOR_FIELD, index_type=how.kind, metric_type=METRIC, params=dict(how.build))
    client.create_index(space, params, timeout=timeout)


def read_dim(client: MilvusClient, space: SpaceId, timeout: float) -> int:
    """The dim of the vectors. Raises StoreMisconfigured for a collection that is not ours."""
    fields = {
        each["name"]: each for each in client.describe_collection(space, timeout=timeout)["fields"]
    }
    if not fields.keys() >= {*KEY_FIELDS, VECTOR_FIELD}:
        msg = f"the Milvus collection {space} is not one of facesearch: use another database"
        raise StoreMisconfigured(msg)
    return int(fields[VECTOR_FIELD]["params"]["dim"])
