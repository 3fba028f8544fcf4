"""From a file to the resource that is run here, and from one call to the next."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from reflection_api.contract import VERIFIER_URL_VARIABLE
from reflection_api.resource import ReflectionTraining
from reflection_api.spec import IMMUTABLE
from reflection_api.status import Phase
from reflection_api.validation import InvalidResources, Problem, check_update, load_resources

from .records import Records, WorkdirUnusable, read_json, write_json

_UNCHANGEABLE = "cannot change once a run has begun: give another --workdir for a run with the changed value"

_CONTAINER = "spec.task.verifier.container"
_NOT_STARTED = (
    f"no container is started here: start the service yourself and name its address, for example {VERIFIER_URL_VARIABLE}="
    "http://127.0.0.1:8080"
)


def load(file: Path, settings: Sequence[str]) -> ReflectionTraining:
    """The one resource in a file, with settings and absolute URIs.

    Raises:
        InvalidResources: the file, or what the settings make of it, is not valid or cannot be run here.
        BadSetting: a setting is malformed.
        OSError: the file cannot be read.
    """
    (resource, *others) = load_resources(file, local=True, settings=settings)
    if others:
        names = ", ".join(item.metadata.name for item in (resource, *others))
        what = f"holds several resources ({names}); put the one to run into a file of its own"
        raise InvalidResources([Problem(str(file), None, "", what)])
    if resource.spec.task.verifier.container and not os.environ.get(VERIFIER_URL_VARIABLE):
        raise InvalidResources([Problem(str(file), None, _CONTAINER, _NOT_STARTED)])
    return resource


def default_workdir(resource: ReflectionTraining) -> Path:
    """Where a run is remembered unless its user says where: below the current folder, one folder for each name."""
    return Path(".reflect") / f"{resource.metadata.namespace}-{resource.metadata.name}"


def run_uid(resource: ReflectionTraining, workdir: Path) -> str:
    """What the API server's uid is elsewhere: the same for every call with the same name and folder."""
    name = f"{resource.metadata.namespace}/{resource.metadata.name}@{workdir.resolve()}"
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def accept(resource: ReflectionTraining, records: Records, file: Path) -> ReflectionTraining:
    """The resource of this file with the status of earlier calls, stored.

    A failed run begins again, with the artefacts that still fit.

    Raises:
        InvalidResources: a field was changed that cannot change once a run has begun.
        WorkdirUnusable: the folder belongs to another run, or cannot be written.
    """
    earlier = _remembered(records)
    if earlier is not None:
        _refuse_another(earlier, resource, records)
    if earlier is None or _failed(earlier):
        records.forget_jobs()
        uid = run_uid(resource, records.workdir)
        accepted = resource.model_copy(update={"metadata": resource.metadata.model_copy(update={"uid": uid})})
    else:
        accepted = _updated(earlier, resource, file)
    with records.writing():
        write_json(records.resource, accepted.to_dict())
    return accepted


def _remembered(records: Records) -> ReflectionTraining | None:
    """The resource of earlier calls in this folder."""
    try:
        stored = read_json(records.resource)
        return ReflectionTraining.model_validate(stored) if stored else None
    except (ValidationError, OSError) as error:
        raise WorkdirUnusable(
            f"--workdir {records.workdir}: {records.resource.name} there is not what `reflect run` of this version writes; "
            "give another folder, or remove that file to begin anew"
        ) from error


def _refuse_another(earlier: ReflectionTraining, resource: ReflectionTraining, records: Records) -> None:
    """Two runs in one folder would take each other's Jobs and logs for their own."""
    there, here = (f"{each.metadata.namespace}/{each.metadata.name}" for each in (earlier, resource))
    if there != here:
        raise WorkdirUnusable(
            f"--workdir {records.workdir}: belongs to the run {there}, and this is {here}; give another folder, or remove "
            "that one if its run is no longer wanted"
        )


def _failed(resource: ReflectionTraining) -> bool:
    return resource.status is not None and resource.status.phase is Phase.FAILED


def _updated(earlier: ReflectionTraining, resource: ReflectionTraining, file: Path) -> ReflectionTraining:
    if earlier.spec == resource.spec:
        return earlier
    problems = check_update(earlier.to_dict(), resource.to_dict(), local=True, file=str(file))
    if problems:
        raise InvalidResources([_in_our_words(problem) for problem in problems])
    metadata = earlier.metadata.model_copy(update={"generation": earlier.metadata.generation + 1})
    return resource.model_copy(update={"metadata": metadata, "status": earlier.status})


def _in_our_words(problem: Problem) -> Problem:
    """Here a new run is another folder, and not another resource."""
    return problem._replace(message=problem.message.replace(IMMUTABLE, _UNCHANGEABLE))
