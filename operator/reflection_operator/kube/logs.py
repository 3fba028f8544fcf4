"""One line for each thing that happens, with the run that it concerns, as text for people or as JSON for machines."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["text", "json"]

_ATTEMPT = re.compile(r"attempt #\d+ ")
_TELL_AGAIN_SECONDS = 300.0

current_run: ContextVar[str] = ContextVar("current_run", default="")
"""`namespace/name` of the run that a task is at work on."""


class _RunFilter(logging.Filter):
    """Notes whose line it is: in the thread and task that writes it, where the variable is to be seen."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.run = current_run.get()
        return True


class _NotAgain(logging.Filter):
    """Of a request that kopf repeats every few seconds until it works, one line in five minutes."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("kopf"):
            return True
        what = _ATTEMPT.sub("", record.getMessage())
        again = record.created - self._told.get(what, -_TELL_AGAIN_SECONDS) < _TELL_AGAIN_SECONDS
        if not again:
            self._told[what] = record.created
        return not again


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        run = getattr(record, "run", "")
        line = f"{_time(record)} {record.levelname:<7} {f'[{run}] ' if run else ''}{record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if run := getattr(record, "run", ""):
            namespace, _, name = run.partition("/")
            entry |= {"namespace": namespace, "name": name}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def set_up(form: LogFormat, level: str) -> None:
    """Write all log lines of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    handler.addFilter(_RunFilter())
    handler.addFilter(_NotAgain())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Watching is its business, and what goes wrong there is told by our own health.
    logging.getLogger("kopf").setLevel(max(logging.WARNING, root.level))
    for noisy in ("aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
