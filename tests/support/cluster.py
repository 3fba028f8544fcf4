"""A cluster as a test sees it: objects by path in plain JSON, kubectl, and waiting for what must come about."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from .access import Access

T = TypeVar("T")
Obj = dict[str, Any]

RUNS = "/apis/reflection.training/v1alpha1"
BATCH = "/apis/batch/v1"
APPS = "/apis/apps/v1"
CORE = "/api/v1"
_PATIENCE_S = 180
"""A guard: what a test waits for takes a second or two, where the machine is not busy."""


class NotSoFar(AssertionError):
    """What a test waited for did not come about."""


class Cluster:
    """Requests as somebody, an administrator unless said otherwise."""

    def __init__(self, plane: Access, kubectl: Path, kubeconfig: Path | None = None) -> None:
        self.plane = plane
        self._client = plane.client(kubeconfig)
        self._command = [str(kubectl), "--kubeconfig", str(kubeconfig or plane.kubeconfig)]

    def close(self) -> None:
        self._client.close()

    def get(self, path: str) -> Obj:
        return _checked(self._client.get(path))

    def find(self, path: str) -> Obj | None:
        """An object, or None where it does not exist."""
        answer = self._client.get(path)
        return None if answer.status_code == httpx.codes.NOT_FOUND else _checked(answer)

    def answers(self, path: str) -> bool:
        """Whether the API server knows the path."""
        return self._client.get(path).is_success

    def items(self, path: str, **query: str) -> list[Obj]:
        found: list[Obj] = _checked(self._client.get(path, params=query))["items"]
        return found

    def watch(self, path: str, since: str, *, until: Obj) -> list[Obj]:
        """The changes below a path after a version, up to the one that made an object what it is."""
        query = {"watch": "true", "resourceVersion": since}
        changes = []
        with self._client.stream("GET", path, params=query) as answer:
            for line in answer.iter_lines():
                changes.append(json.loads(line))
                assert changes[-1]["type"] != "ERROR", changes[-1]
                if (
                    changes[-1]["object"]["metadata"]["resourceVersion"]
                    == until["metadata"]["resourceVersion"]
                ):
                    break
        return changes

    def create(self, path: str, obj: Obj, **query: str) -> Obj:
        return _checked(self._client.post(path, json=obj, params=query))

    def try_to_create(self, path: str, obj: Obj, **query: str) -> Obj:
        """What the API server answers, be it the object or the refusal."""
        answer: Obj = self._client.post(path, json=obj, params=query).json()
        return answer

    def patch(self, path: str, change: Obj) -> Obj:
        """Merge a change into an object; None removes a field."""
        return _checked(self._try_to_patch(path, change))

    def try_to_patch(self, path: str, change: Obj) -> Obj:
        answer: Obj = self._try_to_patch(path, change).json()
        return answer

    def delete(self, path: str, *, policy: str = "Background", grace: int | None = None) -> None:
        """Delete an object, unless it is gone already."""
        body: Obj = {"propagationPolicy": policy}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        answer = self._client.request("DELETE", path, json=body)
        if answer.status_code != httpx.codes.NOT_FOUND:
            _checked(answer)

    def kubectl(self, *words: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *(str(word) for word in words)]
        return subprocess.run(command, text=True, capture_output=True, input=stdin, check=False, timeout=120)

    def start_kubectl(self, *words: str) -> subprocess.Popen[str]:
        """One that goes on for a while; use it as a context manager."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*self._command, *words], text=True, **pipes)

    def _try_to_patch(self, path: str, change: Obj) -> httpx.Response:
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._client.patch(path, content=json.dumps(change), headers=headers)


def until(
    look: Callable[[], T | None],
    what: str,
    *,
    meanwhile: Callable[[], object] = lambda: None,
    patience: float = _PATIENCE_S,
) -> T:
    """What `look` finds, as soon as it finds anything; `meanwhile` is done between two looks."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := look():
            return found
        meanwhile()
        time.sleep(0.1)
    raise NotSoFar(f"after {patience:.0f} s there is still no {what}")


def _checked(answer: httpx.Response) -> Obj:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    found: Obj = answer.json()
    return found
