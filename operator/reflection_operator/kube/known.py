"""From an object of the API server to what the operator keeps of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from reflection_api.reasons import Reason
from reflection_api.resource import Metadata, ReflectionTraining
from reflection_api.spec import MULTIKUEUE, ReflectionTrainingSpec
from reflection_api.status import ReflectionTrainingStatus
from reflection_api.validation import dotted, refusals
from reflection_api.validation.documents import MAX_DEPTH

from ..children.labels import UID_LABEL
from ..reconcile import raw
from ..reconcile.parse import job_from_object, pod_from_object
from .kinds import JOBS, PODS, RUNS, Kind

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
_MAX_SHOWN = 200
_SHOWN_LEVELS = 3


class Identity(NamedTuple):
    """Which object, which version of it, and whose."""

    uid: str
    version: int
    namespace: str
    name: str
    run: str
    """UID of the run that it belongs to."""


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """What is kept of an object, and of which version of it that is."""

    uid: str
    version: int
    namespace: str
    name: str
    run: str
    value: T


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A resource as it was read."""

    metadata: Metadata
    resource: ReflectionTraining | None
    """None where this operator does not understand the spec."""
    status: ReflectionTrainingStatus | None
    problem: str = ""
    """What is wrong with the spec."""
    ours: bool = True
    """Whether it is this operator's to say what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PackedRun:
    """A resource as JSON: read it takes ten times the memory, and of many runs nearly all wait for something."""

    text: bytes
    phase: str
    """Empty before there is a status."""


def read(kind: Kind, obj: Mapping[str, Any]) -> Any:
    """What is kept of an object; None where it can be neither a run nor a child of one."""
    return _READERS[kind.plural](obj)


def identity_of(kind: Kind, obj: Mapping[str, Any]) -> Identity | None:
    """What an object is; None where it belongs to no run."""
    metadata = raw.mapping(obj.get("metadata"))
    uid, namespace, name = (raw.text(metadata.get(part)) for part in ("uid", "namespace", "name"))
    run = uid if kind is RUNS else raw.text(raw.mapping(metadata.get("labels")).get(UID_LABEL))
    version = raw.text(metadata.get("resourceVersion"))
    # Versions can be compared as numbers since Kubernetes 1.35, and could be in every release before.
    return Identity(uid, int(version), namespace, name, run) if uid and run and version.isdigit() else None


def pack_run(obj: Mapping[str, Any]) -> PackedRun | None:
    """A resource to be kept; None where not even its metadata make sense."""
    try:
        Metadata.model_validate(obj.get("metadata"))
    except ValidationError:
        return None
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    kept = {"metadata": metadata, "spec": obj.get("spec"), "status": obj.get("status")}
    return PackedRun(json.dumps(kept).encode(), raw.text(raw.mapping(obj.get("status")).get("phase")))


def unpacked(known: Known[PackedRun]) -> Known[StoredRun]:
    """The resource of a run; those of the runs that are being looked at need not be read again."""
    return Known(
        known.uid, known.version, known.namespace, known.name, known.run, _unpacked(known.value.text)
    )


@lru_cache(maxsize=64)
def _unpacked(text: bytes) -> StoredRun:
    run = read_run(json.loads(text))
    assert run is not None, "its metadata were read before it was packed"
    return run


def read_run(obj: Mapping[str, Any]) -> StoredRun | None:
    """A resource, or what is wrong with it; None where not even its metadata make sense."""
    try:
        metadata = Metadata.model_validate(obj.get("metadata"))
    except ValidationError:
        return None
    status = _status(obj.get("status"))
    ours = raw.mapping(obj.get("spec")).get("managedBy") != MULTIKUEUE
    if too_deep := _too_deep(obj.get("spec")):
        return StoredRun(metadata, None, status, too_deep, ours)
    if not _accepted(metadata, status) and (problem := _refusal(json.dumps(obj.get("spec")))):
        return StoredRun(metadata, None, status, problem, ours)
    try:
        spec = _validated(ReflectionTrainingSpec, obj.get("spec"))
    except ValidationError as error:
        return StoredRun(metadata, None, status, _in_words(error), ours)
    return StoredRun(metadata, ReflectionTraining(metadata=metadata, spec=spec, status=status), status)


def _too_deep(spec: object) -> str:
    """What is wrong with a spec that is nested so deeply that nothing could be done with it; empty where it is not.

    Pods take parts of any form, and an API server takes thousands of levels of them.
    """
    path: list[str] = []
    levels = [_parts(spec)]
    while levels:
        for name, part in levels[-1]:
            path.append(name)
            levels.append(_parts(part))
            break
        else:
            levels.pop()
            del path[-1:]
        if len(path) > MAX_DEPTH:
            place = ".".join(("spec", *path[:_SHOWN_LEVELS]))
            return f"{place}: nested deeper than {MAX_DEPTH} levels; no resource needs this"
    return ""


def _parts(value: object) -> Iterator[tuple[str, object]]:
    """What stands in a value, one after the other: some have hundreds of thousands of parts."""
    if isinstance(value, dict):
        return ((str(key), part) for key, part in value.items())
    return ((str(index), part) for index, part in enumerate(value)) if isinstance(value, list) else iter(())


def _accepted(metadata: Metadata, status: ReflectionTrainingStatus | None) -> bool:
    """Whether an operator has begun with this spec: a rule of a newer version must not stop what is under way."""
    if status is None or status.observed_generation != metadata.generation:
        return False
    return not any(
        condition.reason == Reason.INVALID_SPEC and condition.status == "True"
        for condition in status.conditions
    )


@lru_cache(maxsize=256)
def _refusal(spec: str) -> str:
    """The first thing that this operator's own CRD has against a spec, which is given as JSON; empty where there is none."""
    resource = {"metadata": {"name": "any"}, "spec": json.loads(spec)}
    return next((f"{dotted(found.path)}: {found.message}" for found in refusals(resource, local=False)), "")


def _status(value: object) -> ReflectionTrainingStatus | None:
    """A status that somebody edited into nonsense counts as lost: where the run is, is found again from its Jobs."""
    try:
        return _validated(ReflectionTrainingStatus, value) if value is not None else None
    except ValidationError:
        return None


def _validated(model: type[M], value: object) -> M:
    """The value as a model, without the fields that only a newer version of the resource has."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        unknown = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
        if not unknown:
            raise
    value = deepcopy(value)
    for *path, name in unknown:
        place: Any = value
        for part in path:
            place = place[part]
        del place[name]
    return model.model_validate(value)


def _in_words(error: ValidationError) -> str:
    """The first problem: field, value, what is expected."""
    first = error.errors()[0]
    field = ".".join(("spec", *(str(part) for part in first["loc"])))
    return f"{field}: {str(first['input'])[:_MAX_SHOWN]!r}: {first['msg']}"


_READERS = {RUNS.plural: pack_run, JOBS.plural: job_from_object, PODS.plural: pod_from_object}
