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
_ISOLATION = "partitionkey.isolation"
# How many candidates an index looks at. Milvus refuses a search for more rows than that.
_CANDIDATES = {"HNSW": "ef", "DISKANN": "search_list", "SCANN": "reorder_k"}

Parameter = bool | int | float | str


@dataclass(frozen=True, slots=True)
class MilvusIndex:
    """How a server indexes the vectors. An approximate index makes searches approximate."""

    kind: str = "FLAT"
    build: Mapping[str, Parameter] = field(default_factory=dict)
    """For example {"M": 16, "efConstruction": 200} for HNSW."""
    search: Mapping[str, Parameter] = field(default_factory=dict)
    """For example {"ef": 128} for HNSW."""

    def search_params(self, limit: int) -> dict[str, object]:
        """What a search for `limit` rows sends."""
        params = dict(self.search)
        candidates = _CANDIDATES.get(self.kind.partition("_")[0])
        # The default of HNSW is a fixed number, those of the others grow with the limit.
        if candidates is not None and (candidates == "ef" or candidates in params):
            params[candidates] = max(int(params.get(candidates, 0)), limit)
        return {"metric_type": METRIC, "params": params}


@dataclass(frozen=True, slots=True)
class MilvusSpace:
    """A space as it was made. Neither can be changed afterwards."""

    dim: int
    is_isolated: bool
    """Whether each collection_id has an index of its own: searches name one, and no more."""


def create(
    client: MilvusClient, space: SpaceId, dim: int, timeout: float, *, isolated: bool = False
) -> None:
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
    properties = {_ISOLATION: "true"} if isolated else {}
    client.create_collection(space, schema=schema, properties=properties, timeout=timeout)


def index(client: MilvusClient, space: SpaceId, how: MilvusIndex, timeout: float) -> None:
    """Index the vectors, if they are not: a server searches no collection without an index."""
    if client.list_indexes(space):
        return
    params = client.prepare_index_params()
    params.add_index(VECTOR_FIELD, index_type=how.kind, metric_type=METRIC, params=dict(how.build))
    client.create_index(space, params, timeout=timeout)


def load(client: MilvusClient, space: SpaceId, replicas: int, timeout: float) -> None:
    """Have the servers hold the collection ready for searches. `replicas` 0: as they are set."""
    # Not sent where nobody asked: a server may refuse another number than it has loaded.
    asked = {"replica_number": replicas} if replicas else {}
    client.load_collection(space, timeout=timeout, **asked)


def read(client: MilvusClient, space: SpaceId, timeout: float) -> MilvusSpace:
    """The space as it is. Raises StoreMisconfigured for a collection that is not ours."""
    described = client.describe_collection(space, timeout=timeout)
    fields = {each["name"]: each for each in described["fields"]}
    if not fields.keys() >= {*KEY_FIELDS, VECTOR_FIELD}:
        msg = f"the Milvus collection {space} is not one of facesearch: use another database"
        raise StoreMisconfigured(msg)
    isolation = described.get("properties", {}).get(_ISOLATION, "")
    return MilvusSpace(
        dim=int(fields[VECTOR_FIELD]["params"]["dim"]),
        is_isolated=str(isolation).lower() == "true",
    )
