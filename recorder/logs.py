"""Logs: a line each, as text for people or JSON for machines, on standard error."""

from __future__ import annotations

import json
import logging
import sys

from recorder.model.secrets import mask
from recorder.model.timebase import format_instant

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {
        key: mask(value) if isinstance(value, str) else value
        for key, value in vars(record).items()
        if key not in _STANDARD and not key.startswith("_") and key != "color_message"
    }


class FieldsFormatter(logging.Formatter):
    """One line a record: time, level, message, ``key=value`` fields; secrets taken out."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record for people."""
        when = format_instant(int(record.created * 1e9), 3)
        fields = " ".join(f"{key}={value!r}" for key, value in _fields(record).items())
        text = f"{when} {record.levelname.lower():7} {mask(record.getMessage())} {fields}".rstrip()
        if record.exc_info:
            text += "\n" + mask(self.formatException(record.exc_info))
        return text


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record for machines."""
        body = {
            "at": format_instant(int(record.created * 1e9), 6),
            "level": record.levelname.lower(),
            "room": record.name,
            "event": mask(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            body["traceback"] = mask(self.formatException(record.exc_info))
        return json.dumps(body, default=str)


def configure_logs(level: str, form: str) -> None:
    """Send logs to standard error, as ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else FieldsFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
