"""The logs of a run's pods."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from reflection_api.stages import Stage

from ..children.labels import ROUND_LABEL, STAGE_LABEL
from ..kube.errors import ApiError
from ..reconcile import raw
from ..reconcile.observed import ObservedPod
from ..reconcile.parse import pod_from_object
from ..reconcile.text import printable
from .cluster import Cluster, Obj
from .errors import RemoteError
from .seen import Seen

_PAUSE_SECONDS = 1.0
_MAX_LINE = 16_384


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line, and who printed it."""

    pod: str
    index: int
    """Number of its shard or node."""
    line: str
    pods: int
    """How many pods are being read."""

    @property
    def text(self) -> str:
        """For people: the pod's number first where there are several."""
        return f"[{self.index}] {self.line}" if self.pods > 1 else self.line


Take = Callable[[LogLine], None]
Write = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of which pods."""

    stage: Stage | None = None
    index: int | None = None
    follow: bool = False
    tail: int | None = None


async def print_logs(cluster: Cluster, run: Seen, wanted: Wanted, take: Take, complain: Write) -> None:
    """Hand on the lines of the newest attempt's pods, or of a stage's.

    Raises:
        RemoteError: there is no such pod, or none has a log.
    """
    pods = chosen(await cluster.pods(run.metadata.uid), wanted)
    if not pods:
        stage = f"{wanted.stage.value} " if wanted.stage else ""
        what = f"{stage}pods" + ("" if wanted.index is None else f" of index {wanted.index}")
        raise RemoteError(
            f"{run.metadata.name} has no {what} at the moment, and logs go with their pods ({run.why})"
        )

    async def one(pod: ObservedPod) -> str:
        try:
            async for line in _lines(_pieces(cluster, pod, wanted)):
                take(LogLine(pod.name, pod.index, line, len(pods)))
        except ApiError as error:
            return f"pod {pod.name} has no log yet: {error.message}"
        return ""

    if wanted.follow:
        problems = await asyncio.gather(*map(one, pods))
    else:
        problems = [await one(pod) for pod in pods]
    if all(problems):
        raise RemoteError("\n".join(problems))
    for problem in filter(None, problems):
        complain(problem)


def chosen(objects: list[Obj], wanted: Wanted) -> list[ObservedPod]:
    """The pods of the newest Job that has any, by index."""
    found: dict[str, list[ObservedPod]] = {}
    newest: tuple[str, str] = ("", "")
    for obj in objects:
        metadata = raw.mapping(obj.get("metadata"))
        labels = raw.mapping(metadata.get("labels"))
        pod = pod_from_object(obj)
        if pod is None or ROUND_LABEL not in labels or wanted.stage not in (None, labels.get(STAGE_LABEL)):
            continue
        found.setdefault(pod.job_name, []).append(pod)
        newest = max(newest, (raw.text(metadata.get("creationTimestamp")), pod.job_name))
    pods = sorted(found.get(newest[1], ()), key=lambda pod: (pod.index, pod.name))
    return [pod for pod in pods if wanted.index in (None, pod.index)]


async def _pieces(cluster: Cluster, pod: ObservedPod, wanted: Wanted) -> AsyncIterator[bytes]:
    """The log; whoever follows waits until it begins."""
    while True:
        try:
            async for piece in cluster.log(pod.name, follow=wanted.follow, tail=wanted.tail):
                yield piece
        except ApiError:
            if not wanted.follow:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines that can stand on a terminal. Models write into logs, too: one without an end is cut."""
    decoder: Any = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    async for piece in pieces:
        *lines, rest = (rest + decoder.decode(piece)).split("\n")
        for line in lines:
            yield printable(line)
        while len(rest) > _MAX_LINE:
            yield printable(rest[:_MAX_LINE])
            rest = rest[_MAX_LINE:]
    if rest:
        yield printable(rest)
