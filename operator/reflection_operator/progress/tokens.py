"""Who it is that holds a token: the API server says so, and its answer is believed for a while."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import NamedTuple

from reflection_api.contract import PROGRESS_AUDIENCE

from ..kube.api import Api, Obj
from ..kube.errors import ApiError
from ..kube.kinds import TOKEN_REVIEWS

_BELIEVED_S = 60.0
_REMEMBERED = 10_000
_REVIEWS_PER_SECOND = 20.0
_BURST = 100.0
_PEER_REVIEWS_PER_SECOND = 1.0
_PEER_BURST = 10.0
"""A pod has one token, and another one in an hour; whoever sends more must not use up what the others need."""
_POD_UID = "authentication.kubernetes.io/pod-uid"


class TooMany(Exception):
    """More new tokens come than the API server is to be asked about."""


class _Answer(NamedTuple):
    pod: str
    until: float


class _Bucket:
    """Allows a number of things at once, and so many a second in the long run."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._since = burst, 0.0

    def take(self, now: float) -> bool:
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        allowed = self._left >= 1
        self._left -= allowed
        return allowed


class Tokens:
    """Reviews tokens."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        """By hash: a token itself is not kept."""
        self._all = _Bucket(_REVIEWS_PER_SECOND, _BURST)
        self._peers: OrderedDict[str, _Bucket] = OrderedDict()
        self._not_before = 0.0
        """When the API server wants to be asked again."""

    async def pod_of(self, token: str, peer: str) -> str:
        """UID of the pod that the token was made for; empty where it is not good, or not a pod's.

        Raises:
            TooMany: it is not known, and there were too many of those.
            ApiError: the API server does not say.
        """
        now = asyncio.get_running_loop().time()
        key = hashlib.sha256(token.encode()).hexdigest()
        answer = self._answers.get(key)
        if answer is None or answer.until < now:
            self._spend(peer, now)
            answer = _Answer(await self._review(token), now + _BELIEVED_S)
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return answer.pod

    def _spend(self, peer: str, now: float) -> None:
        bucket = self._peers.setdefault(peer, _Bucket(_PEER_REVIEWS_PER_SECOND, _PEER_BURST))
        self._peers.move_to_end(peer)
        while len(self._peers) > _REMEMBERED:
            self._peers.popitem(last=False)
        if now < self._not_before or not (bucket.take(now) and self._all.take(now)):
            raise TooMany

    async def _review(self, token: str) -> str:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [PROGRESS_AUDIENCE]},
        }
        try:
            status: Obj = (await self._api.create(TOKEN_REVIEWS, None, review)).get("status", {})
        except ApiError as error:
            self._not_before = asyncio.get_running_loop().time() + (error.retry_after or 0.0)
            raise
        # A server that knows no audiences leaves them out, and means any.
        if not status.get("authenticated") or PROGRESS_AUDIENCE not in status.get("audiences", ()):
            return ""
        extra: Obj = status.get("user", {}).get("extra", {})
        return str((extra.get(_POD_UID) or [""])[0])
