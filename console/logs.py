"""How every process logs: structlog, readable lines on a development stack, JSON elsewhere."""

import logging
from http import HTTPStatus
from typing import Any

import structlog
from kombu.exceptions import OperationalError
from redis import RedisError

# Two log whole URLs, which may hold a node's key; the others a line for every wake-up and sweep.
_QUIET = (
    "httpx",
    "httpcore",
    "celery.app.trace",
    "celery.worker.strategy",
    "celery.worker.request",
)


def logging_settings(*, readable: bool) -> dict[str, Any]:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
        if readable
        else structlog.processors.JSONRenderer()
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structlog": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    renderer,
                ],
            }
        },
        "filters": {
            "told already": {"()": lambda: _is_news},
            "in a line": {"()": lambda: _in_a_line},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structlog"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {name: {"level": "WARNING"} for name in _QUIET}
        # Anyone on the network can cause it, and each would write a traceback.
        | {"django.security.DisallowedHost": {"level": "CRITICAL"}}
        # A line for each loan and for each look at a server that is away, which we say once.
        | {"psycopg.pool": {"level": "ERROR"}}
        | {"celery.beat": {"level": "WARNING", "filters": ["in a line"]}}
        | {"django.request": {"filters": ["told already"]}},
    }


def _is_news(record: logging.LogRecord) -> bool:
    """Django writes a traceback for each 503, which `console.errors` has told in a line."""
    return getattr(record, "status_code", None) != HTTPStatus.SERVICE_UNAVAILABLE


def _in_a_line(record: logging.LogRecord) -> bool:
    """Beat writes two tracebacks for each task, each second, that a broker which is away does not
    take; it is sent again when it is due again.
    """
    failed = record.exc_info[1] if record.exc_info else None
    cause = failed and (failed.__cause__ or failed.__context__)
    if isinstance(cause, (OSError, OperationalError, RedisError)):
        record.msg, record.args = f"beat: not sent: {' '.join(str(failed).split())}", ()
        record.exc_info = record.exc_text = None
    return True
