"""Who it is that holds a token: the API server says so, and its answer is believed for a while."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import NamedTuple

from reflection_api.contract import PROGRESS_AUDIENCE

from ..kube.api import Api, Obj
from ..kube.kinds import TOKEN_REVIEWS

_BELIEVED_S = 60.0
_REMEMBERED = 10_000
_REVIEWS_PER_SECOND = 20.0
_BURST = 100.0
_POD_UID = "authentication.kubernetes.io/pod-uid"


class TooMany(Exception):
    """More new tokens come than the API server is to be asked about."""


class _Answer(NamedTuple):
    pod: str
    until: float


class Tokens:
    """Reviews tokens."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        """By hash: a token itself is not kept."""
        self._left, self._since = _BURST, 0.0

    async def pod_of(self, token: str) -> str:
        """UID of the pod that the token was made for; empty where it is not good, or not a pod's.

        Raises:
            TooMany: it is not known, and there were too many of those.
            ApiError: the API server does not say.
        """
        now = asyncio.get_running_loop().time()
        key = hashlib.sha256(token.encode()).hexdigest()
        answer = self._answers.get(key)
        if answer is None or answer.until < now:
            self._spend(now)
            answer = _Answer(await self._review(token), now + _BELIEVED_S)
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return answer.pod

    def _spend(self, now: float) -> None:
        self._left = min(_BURST, self._left + (now - self._since) * _REVIEWS_PER_SECOND)
        self._since = now
        if self._left < 1:
            raise TooMany
        self._left -= 1

    async def _review(self, token: str) -> str:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [PROGRESS_AUDIENCE]},
        }
        status: Obj = (await self._api.create(TOKEN_REVIEWS, None, review)).get("status", {})
        # A server that knows no audiences leaves them out, and means any.
        if not status.get("authenticated") or PROGRESS_AUDIENCE not in status.get("audiences", ()):
            return ""
        extra: Obj = status.get("user", {}).get("extra", {})
        return str((extra.get(_POD_UID) or [""])[0])
