"""Structured logs on standard output: one JSON object a line."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from structlog.types import EventDict

Level = Literal["debug", "info", "warning", "error"]

# They tell of every connection, or of every error that is raised and translated anyway.
_LOUD = ("uvicorn", "uvicorn.error", "alembic", "sqlalchemy.engine", "faiss", "faiss.loader")
_REPEATING = ("pymilvus", "milvus_lite")


def configure_logging(
    level: Level, log_format: Literal["json", "console"], *, worker: int | None = None
) -> None:
    """Send structlog and the standard library's loggers (uvicorn's, grpc's) through one formatter.

    Nothing that is logged holds a key, image bytes or a vector. worker: which of several edges on
    one port says so, in every line.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if worker is not None:
        shared.append(_said_by(worker))
    as_json: list[structlog.types.Processor] = [
        # Without the values of variables, which here are keys, photos and vectors.
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    as_text: list[structlog.types.Processor] = [
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    ]
    last = as_json if log_format == "json" else as_text
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # A line is one write, so those of several processes on one pipe never mix.
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.INFO))
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _REPEATING:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _said_by(worker: int) -> structlog.types.Processor:
    def add(_logger: object, _method: str, fields: EventDict) -> EventDict:
        fields["worker"] = worker
        return fields

    return add
