"""The log of a process: one form for all, with as much as $REFLECT_LOG_LEVEL says."""

from __future__ import annotations

import logging
import os

LEVEL_VARIABLE = "REFLECT_LOG_LEVEL"
_EACH_REQUEST = "httpx"
"""Who says at INFO that a request was answered: every report of progress is one, some a second."""


def begin_log() -> None:
    """To be called once by a program, before it has anything to say."""
    wanted = os.environ.get(LEVEL_VARIABLE, "info")
    level = logging.getLevelNamesMapping().get(wanted.upper(), logging.INFO)
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level >= logging.INFO:
        logging.getLogger(_EACH_REQUEST).setLevel(logging.WARNING)
    if wanted.upper() not in logging.getLevelNamesMapping():
        logging.getLogger(__name__).warning(
            "%s=%s is no level: use debug, info, warning or error", LEVEL_VARIABLE, wanted
        )
