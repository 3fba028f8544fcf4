"""Posting what has happened, for `kubectl describe`."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime

from reflection_api.resource import API_VERSION, KIND, Metadata

from ..reconcile.decision import EventRecord
from .api import TRANSPORT_ERRORS, Api
from .errors import ApiError
from .kinds import EVENTS

COMPONENT = "reflect-operator"
_MAX_NAME = 40
_TRIES = 2
_PAUSE = 0.2
_LONGEST_WAIT = 5.0
"""Seconds that a run may wait so that one of its events can be posted."""

_log = logging.getLogger(__name__)


class Events:
    """Posts events. One that cannot be posted is lost: a run never waits for its own announcement."""

    def __init__(self, api: Api, instance: str) -> None:
        self._api = api
        self._instance = instance

    async def post(self, run: Metadata, event: EventRecord, version: int) -> None:
        """Post an event about the change of status that made this version of the resource."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        # Named after what it tells: posted again after a lost answer, it exists already.
        digest = hashlib.sha256("\0".join((run.uid, str(version), event.reason, event.message)).encode())
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{run.name[:_MAX_NAME].rstrip('-')}.{digest.hexdigest()[:16]}",
                "namespace": run.namespace,
            },
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": run.name,
                "namespace": run.namespace,
                "uid": run.uid,
                "resourceVersion": str(version),
            },
            "type": event.type,
            "reason": event.reason,
            "message": event.message,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
        }
        for left in reversed(range(_TRIES)):
            try:
                await self._api.create(EVENTS, run.namespace, body)
            except ApiError as error:
                if error.already_exists:
                    return
                if left and error.passing and (error.retry_after or 0.0) <= _LONGEST_WAIT:
                    await asyncio.sleep(error.retry_after or _PAUSE)
                    continue
                _log.warning("event %s is lost: %s", event.reason, error)
            except TRANSPORT_ERRORS as error:
                if left:
                    continue
                _log.warning("event %s is lost: %r", event.reason, error)
            return
