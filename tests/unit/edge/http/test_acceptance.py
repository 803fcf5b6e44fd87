"""The acceptance knows every operation that there is."""

from __future__ import annotations

from bench.acceptance.operations import DOCUMENTED, Document, documented_in, named
from tests.unit.edge.http.conftest import Edge


def test_every_operation_of_the_document_is_one_of_the_acceptance(edge: Edge) -> None:
    document = Document.model_validate(edge.app.openapi())
    assert documented_in(document) == named(DOCUMENTED)


def test_operations_without_a_key_are_those_that_the_document_leaves_open(edge: Edge) -> None:
    paths = edge.app.openapi()["paths"]
    for operation in DOCUMENTED:
        described = paths[operation.path][operation.method.lower()]
        assert bool(described.get("security")) is operation.needs_key, operation
