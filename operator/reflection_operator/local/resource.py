"""From a file to the resource that is run here, and from one call to the next."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from reflection_api.resource import ReflectionTraining
from reflection_api.status import Phase
from reflection_api.validation import InvalidResources, Problem, check_update, load_resources

from .records import Records, read_json, write_json


def load(file: Path, settings: Sequence[str], workdir: Path) -> ReflectionTraining:
    """The one resource in a file, with settings and absolute URIs, as it is run in this folder.

    Raises:
        InvalidResources: the file, or what the settings make of it, is not valid.
        BadSetting: a setting is malformed.
        OSError: the file cannot be read.
    """
    (resource, *others) = load_resources(file, local=True, settings=settings)
    if others:
        names = ", ".join(item.metadata.name for item in (resource, *others))
        what = f"holds several resources ({names}); put the one to run into a file of its own"
        raise InvalidResources([Problem(str(file), None, "", what)])
    uid = run_uid(resource, workdir)
    return resource.model_copy(update={"metadata": resource.metadata.model_copy(update={"uid": uid})})


def run_uid(resource: ReflectionTraining, workdir: Path) -> str:
    """What the API server's uid is elsewhere: the same for every call with the same name and folder."""
    name = f"{resource.metadata.namespace}/{resource.metadata.name}@{workdir.resolve()}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def accept(resource: ReflectionTraining, records: Records, file: Path) -> ReflectionTraining:
    """The resource of this file with the status of earlier calls, stored.

    A failed run begins again, with the artefacts that still fit.

    Raises:
        InvalidResources: a field was changed that cannot change once a run has begun.
    """
    stored = read_json(records.resource)
    earlier = ReflectionTraining.model_validate(stored) if stored else None
    if earlier is None or _failed(earlier):
        records.forget_jobs()
        accepted = resource
    else:
        accepted = _updated(earlier, resource, file)
    write_json(records.resource, accepted.to_dict())
    return accepted


def _failed(resource: ReflectionTraining) -> bool:
    return resource.status is not None and resource.status.phase is Phase.FAILED


def _updated(earlier: ReflectionTraining, resource: ReflectionTraining, file: Path) -> ReflectionTraining:
    if earlier.spec == resource.spec:
        return earlier
    problems = check_update(earlier.to_dict(), resource.to_dict(), local=True, file=str(file))
    if problems:
        raise InvalidResources(problems)
    metadata = earlier.metadata.model_copy(update={"generation": earlier.metadata.generation + 1})
    return resource.model_copy(update={"metadata": metadata, "status": earlier.status})
