"""Who acts: the holder of a Lease. Others wait until it is not renewed any more.

kubernetes.aio has a leader election, too, but its requests may hang for five minutes and an answer that does not come ends it,
which is just when it is needed. The clock here is monotonic and this machine's own: times in the Lease are for people.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .api import TRANSPORT_ERRORS, Api, Obj
from .errors import ApiError
from .kinds import LEASES

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds. As every controller of Kubernetes has them."""

    duration: float = 15.0
    """Others wait so long after the last renewal that they saw."""
    deadline: float = 10.0
    """The holder gives up when it could not renew for so long: before anybody else may take over."""
    retry: float = 2.0
    """Between two tries."""


class Leader:
    """One candidate."""

    def __init__(self, api: Api, namespace: str, name: str, identity: str, times: Times) -> None:
        self._api = api
        self._namespace, self._name = namespace, name
        self._identity = identity
        self._times = times
        self._seen: tuple[str, float] = ("", 0.0)
        """The version of the Lease that was seen last, and since when."""
        self._valid_until = 0.0
        self._asked = 0.0
        """Seconds that the API server wants to be left alone, as it said the last time."""

    @property
    def may_act(self) -> bool:
        """Whether nobody else can be the leader at this moment: asked before every write, also after a long sleep."""
        return _now() < self._valid_until

    async def acquire(self) -> None:
        """Wait until this candidate is the leader."""
        _log.info("waiting to become the leader (%s/%s)", self._namespace, self._name)
        while not await self._try():
            await self._pause()
        _log.info("leader since now, as %s", self._identity)

    async def keep(self) -> None:
        """Renew until that was not possible for too long: then return, and nothing may be written any more."""
        while True:
            await self._pause()
            if not await self._try() and not self.may_act:
                _log.error(
                    "the lease could not be renewed for %.0f s: no longer the leader", self._times.deadline
                )
                return

    async def release(self) -> None:
        """Let somebody else take over at once."""
        if not self.may_act:
            return
        self._valid_until = 0.0
        try:
            lease = await self._api.get(LEASES, self._namespace, self._name)
            if lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._api.update(LEASES, self._namespace, self._name, lease)
        except (ApiError, *TRANSPORT_ERRORS) as error:
            _log.warning("the lease is not released and runs out by itself: %r", error)

    async def _try(self) -> bool:
        """Take or renew the Lease, in less time than a try may take."""
        began, self._asked = _now(), 0.0
        try:
            async with asyncio.timeout(self._times.deadline / 2):
                held = await self._take()
        except (ApiError, *TRANSPORT_ERRORS) as error:
            if isinstance(error, ApiError):
                self._asked = error.retry_after or 0.0
            _log.warning("lease %s/%s: %r", self._namespace, self._name, error)
            return False
        if held:
            # From before the request: nobody can have seen the renewal earlier.
            self._valid_until = began + self._times.deadline
        return held

    async def _take(self) -> bool:
        try:
            lease = await self._api.get(LEASES, self._namespace, self._name)
        except ApiError as error:
            if not error.not_found:
                raise
            await self._api.create(LEASES, self._namespace, self._new())
            return True
        if not self._free(lease):
            return False
        try:
            await self._api.update(LEASES, self._namespace, self._name, self._renewed(lease))
        except ApiError as error:
            if error.conflict:
                return False
            raise
        return True

    def _free(self, lease: Obj) -> bool:
        """Whether it is ours, nobody's, or was not renewed for its duration while we looked on."""
        version, spec = lease["metadata"]["resourceVersion"], lease.get("spec") or {}
        if version != self._seen[0]:
            self._seen = (version, _now())
        if spec.get("holderIdentity") in ("", None, self._identity):
            return True
        duration = float(spec.get("leaseDurationSeconds") or self._times.duration)
        return _now() - self._seen[1] >= duration

    def _new(self) -> Obj:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._held({}),
        }

    def _renewed(self, lease: Obj) -> Obj:
        return {**lease, "spec": self._held(lease.get("spec") or {})}

    def _held(self, spec: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        taken_over = spec.get("holderIdentity") != self._identity
        transitions = int(spec.get("leaseTransitions") or 0)
        return {
            **spec,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._times.duration)),
            "acquireTime": now if taken_over else spec.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": transitions + (taken_over and bool(spec)),
        }

    async def _pause(self) -> None:
        # As long as the server wants, while that leaves a holder another try.
        asked = min(self._asked, self._times.deadline / 2)
        await asyncio.sleep(max(asked, self._times.retry * random.uniform(0.8, 1.2)))


def _now() -> float:
    """Seconds on a clock that only runs forward, also while this process sleeps."""
    return asyncio.get_running_loop().time()
