"""What a kubelet writes of the containers of a pod: the stage's, and native sidecars, which are init containers that go on.

Sidecars start one after the other, each once the one before has started, and the stage's container after them. One that ends is
started again. Those that are left when the stage has ended are told to stop.
"""

from __future__ import annotations

from typing import Any

from .cluster import Obj

_INITIALIZING = {"waiting": {"reason": "PodInitializing"}}
_TOLD_TO_STOP = 143


def starting(pod: Obj, stuck: str, state: Obj, crash: Obj | None = None) -> Obj:
    """A sidecar does not start, or the stage's container where none is named; `crash` is how the sidecar ended before."""
    sidecars, found, held = _sidecars(pod), [], False
    for container in sidecars:
        if container["name"] == stuck:
            held = True
            found.append(_stuck(pod, container, state, crash))
        else:
            found.append(_status(pod, container, _INITIALIZING if held else _running(pod, container)))
    assert held or not stuck, f"{pod['metadata']['name']} has no sidecar {stuck}"
    if held and pod["status"]["phase"] == "Running":
        state = _running(pod, _stage(pod))
    elif held:
        state = _INITIALIZING
    return _of(found, [_status(pod, _stage(pod), state)])


def all_run(pod: Obj) -> bool:
    """Whether all that was written of was at work."""
    return all("running" in each["state"] for each in _written(pod))


def running(pod: Obj) -> Obj:
    """All are at work."""
    return _of(*([_status(pod, each, _running(pod, each)) for each in part] for part in _parts(pod)))


def ended(pod: Obj, terminated: Obj) -> Obj:
    """The stage has ended, and its sidecars were told to stop."""
    stopped = terminated | {"exitCode": _TOLD_TO_STOP, "reason": "Error", "message": ""}
    sidecars = [_status(pod, each, {"terminated": stopped}) for each in _sidecars(pod)]
    return _of(sidecars, [_status(pod, _stage(pod), {"terminated": terminated})])


def _parts(pod: Obj) -> tuple[list[Obj], list[Obj]]:
    return _sidecars(pod), [_stage(pod)]


def _sidecars(pod: Obj) -> list[Obj]:
    return [each for each in pod["spec"].get("initContainers", []) if each.get("restartPolicy") == "Always"]


def _stage(pod: Obj) -> Obj:
    stage: Obj = pod["spec"]["containers"][0]
    return stage


def _of(sidecars: list[Obj], containers: list[Obj]) -> Obj:
    return {"containerStatuses": containers} | ({"initContainerStatuses": sidecars} if sidecars else {})


def _before(pod: Obj, container: Obj) -> Obj:
    """What was last written of a container."""
    return next((each for each in _written(pod) if each["name"] == container["name"]), {})


def _written(pod: Obj) -> list[Obj]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _running(pod: Obj, container: Obj) -> Obj:
    """It runs, since it began to."""
    state: Obj = _before(pod, container).get("state", {})
    return state if "running" in state else {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}}


def _stuck(pod: Obj, container: Obj, state: Obj, crash: Obj | None) -> Obj:
    status = _status(pod, container, state)
    # It is looked at many times while it waits, and has crashed once.
    if crash is not None and _before(pod, container).get("state") != state:
        status |= {"restartCount": status["restartCount"] + 1, "lastState": {"terminated": crash}}
    return status


def _status(pod: Obj, container: Obj, state: dict[str, Any]) -> Obj:
    before, runs = _before(pod, container), "running" in state
    kept = {"lastState": before["lastState"]} if before.get("lastState") else {}
    return {
        "name": container["name"], "image": container["image"], "imageID": "", "ready": runs, "started": runs,
        "restartCount": before.get("restartCount", 0), "state": state,
    } | kept  # fmt: skip
