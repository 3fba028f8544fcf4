"""Requests to the API server in plain JSON: no models in between, which would cost more than all the rest."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration

from .errors import ApiError, NotSent
from .kinds import Kind
from .metrics import Metrics

Obj = dict[str, Any]

_LIMIT = aiohttp.ClientTimeout(total=20, sock_connect=5)
_NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=5)
PAGE = 100
"""Objects of one answer to a list: enough that a list takes few requests, few enough to be parsed at once."""
FIELD_MANAGER = "reflect-operator"
"""Whose the fields are that the operator writes, as `kubectl get --show-managed-fields` lists them."""
_LEVELS = 50_000
_OWNED = ("create", "update", "patch")
_WRITES = ("create", "update", "patch", "delete")
_METHODS = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}

TRANSPORT_ERRORS = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
"""No answer: the request may or may not have been carried out."""


def read_deep_answers() -> None:
    """Let this process read whatever an API server may answer.

    It takes JSON of 10,000 levels, and with Python's limit of 1,000 one such resource could not even be listed: it would be the
    end of all others. `known.read_run` refuses it.
    """
    sys.setrecursionlimit(_LEVELS)


class Api:
    """An API server. Each method is one request and is never repeated here: who asked decides about that."""

    def __init__(
        self, configuration: Configuration, metrics: Metrics, may_write: Callable[[], bool] = lambda: True
    ) -> None:
        self._client = ApiClient(configuration)
        self._metrics = metrics
        self._may_write = may_write

    async def close(self) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def get(self, kind: Kind, namespace: str, name: str) -> Obj:
        return await self._request("get", kind, namespace, name)

    async def pages(
        self, kind: Kind, namespace: str | None, selector: str = "", *, fields: str = ""
    ) -> AsyncIterator[tuple[list[Obj], int]]:
        """All objects of a kind, some at a time, and the version that the list is of."""
        chosen = {"labelSelector": selector, "fieldSelector": fields}
        query = {"limit": str(PAGE)} | {name: words for name, words in chosen.items() if words}
        token = ""
        while True:
            answer = await self._request(
                "list", kind, namespace, query=query | ({"continue": token} if token else {})
            )
            metadata = answer.get("metadata", {})
            yield answer.get("items") or [], int(metadata.get("resourceVersion") or 0)
            token = metadata.get("continue") or ""
            if not token:
                return

    async def text(
        self, kind: Kind, namespace: str, name: str, query: dict[str, str]
    ) -> AsyncIterator[bytes]:
        """An answer that is no object, piece by piece for as long as it takes."""
        path = kind.path(namespace, name)
        response = await self._open("GET", f"{path}?{urlencode(query)}", None, _NO_LIMIT)
        self._metrics.request("get", kind.resource, response.status)
        if response.status != 200:
            raise ApiError(f"get {path}", response.status, await response.read(), response.headers)
        async for piece in response.response.content.iter_any():
            yield piece

    async def create(self, kind: Kind, namespace: str | None, body: Obj) -> Obj:
        return await self._request("create", kind, namespace, body=body)

    async def update(self, kind: Kind, namespace: str, name: str, body: Obj) -> Obj:
        """Replace an object; `metadata.resourceVersion` in the body makes it conditional."""
        return await self._request("update", kind, namespace, name, body=body)

    async def patch(self, kind: Kind, namespace: str, name: str, body: Obj) -> Obj:
        """Merge into an object."""
        return await self._request("patch", kind, namespace, name, body=body)

    async def delete(
        self, kind: Kind, namespace: str, name: str, *, uid: str, version: str | None = None
    ) -> None:
        """Delete an object, what it owns behind it, unless it is another one or has changed."""
        conditions = {"uid": uid} | ({"resourceVersion": version} if version else {})
        body = {"kind": "DeleteOptions", "apiVersion": "v1"}
        await self._request(
            "delete",
            kind,
            namespace,
            name,
            body={**body, "propagationPolicy": "Background", "preconditions": conditions},
        )

    async def _request(
        self,
        verb: str,
        kind: Kind,
        namespace: str | None,
        name: str = "",
        *,
        query: dict[str, str] | None = None,
        body: Obj | None = None,
    ) -> Obj:
        assert verb in kind.verbs, f"{verb} of {kind.resource} is not among the permissions"
        path = kind.path(namespace, name)
        if verb in _WRITES and not self._may_write():
            raise NotSent(f"{verb} {path}: no longer sure to be the leader")
        if verb in _OWNED:
            query = (query or {}) | {"fieldManager": FIELD_MANAGER}
        status, content, headers = await self._send(
            _METHODS[verb], path + (f"?{urlencode(query)}" if query else ""), body
        )
        self._metrics.request(verb, kind.resource, status)
        if not 200 <= status < 300:
            raise ApiError(f"{verb} {path}", status, content, headers)
        answer: Obj = json.loads(content)
        return answer

    async def _send(self, method: str, path: str, body: Obj | None) -> tuple[int, bytes, Any]:
        response = await self._open(method, path, body, _LIMIT)
        content: bytes = await response.read()
        return response.status, content, response.headers

    async def _open(self, method: str, path: str, body: Obj | None, limit: aiohttp.ClientTimeout) -> Any:
        """Send a request; the response, of which the content may still come."""
        content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Accept": "application/json", "Content-Type": content_type}
        configuration = self._client.configuration
        await self._client.update_params_for_auth(
            headers, [], ["BearerToken"], path, method, body, request_auth=None
        )
        return await self._client.call_api(
            method, configuration.host + path, header_params=headers, body=body, _request_timeout=limit
        )
