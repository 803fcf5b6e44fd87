"""What the packages log while a command runs them itself."""

from __future__ import annotations

import logging
import sys

import structlog


def quiet_logs() -> None:
    """Warnings and errors only, on stderr: stdout is for results."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
