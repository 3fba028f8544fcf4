"""From a rendered Job to what each of its processes is started with, and from its end to the words of a pod's status."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reflection_api.contract import (
    CONFIG_VARIABLE,
    MASTER_ADDRESS_VARIABLE,
    MASTER_PORT_VARIABLE,
    PROGRESS_VARIABLE,
    S3_CREDENTIALS_VARIABLE,
    SHARD_VARIABLE,
    TERMINATION_LOG_VARIABLE,
    VERIFIER_CA_VARIABLE,
    VERIFIER_TOKEN_FILE_VARIABLE,
    VERIFIER_URL_VARIABLE,
    WORKDIR_VARIABLE,
)

from ..children.environment import CA_VARIABLE
from ..children.labels import JOB_NAME_LABEL, STAGE_CONTAINER
from .processes import MARK

_OF_THE_SHELL = (
    CA_VARIABLE,
    S3_CREDENTIALS_VARIABLE,
    VERIFIER_CA_VARIABLE,
    VERIFIER_TOKEN_FILE_VARIABLE,
    VERIFIER_URL_VARIABLE,
)
_LOG_TAIL = 2048
"""Bytes of log that stand in for a missing termination message, as FallbackToLogsOnError does."""


def stage_container(job: Mapping[str, Any]) -> dict[str, Any]:
    """The container of a Job that runs its stage."""
    containers = job["spec"]["template"]["spec"]["containers"]
    return next(container for container in containers if container["name"] == STAGE_CONTAINER)


def command(job: Mapping[str, Any]) -> list[str]:
    """The command of a Job's pods, with this interpreter in place of the image's."""
    container = stage_container(job)
    words = [*container.get("command", []), *container.get("args", [])]
    return [sys.executable, *words[1:]] if words[0] == "python" else words


def environment(
    job: Mapping[str, Any], index: int, *, folder: Path, config: Path, mark: str, rendezvous_port: int
) -> dict[str, str]:
    """The environment of one process: this shell's, the container's, and the paths that differ on a laptop.

    References to Secrets are left to this shell's own environment (HF_TOKEN, AWS_ACCESS_KEY_ID, for example), and so are
    variables that name files of a Secret, and the address of a container verifier, which is not started here.
    """
    container = stage_container(job)
    literal = {
        entry["name"]: str(entry["value"])
        for entry in container.get("env", [])
        if "value" in entry and entry["name"] not in _OF_THE_SHELL
    }
    processes = int(job["spec"].get("parallelism", 1))
    values = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // processes)), **os.environ, **literal}
    values |= {
        CONFIG_VARIABLE: str(config),
        TERMINATION_LOG_VARIABLE: str(folder / "termination.json"),
        PROGRESS_VARIABLE: str(folder / "progress.json"),
        WORKDIR_VARIABLE: str(folder / "scratch"),
        SHARD_VARIABLE: str(index),
        MARK: mark,
        "HOME": os.environ.get("HOME", str(folder)),
        "PYTHONUNBUFFERED": "1",
    }
    if MASTER_ADDRESS_VARIABLE in literal:
        values |= {MASTER_ADDRESS_VARIABLE: "127.0.0.1", MASTER_PORT_VARIABLE: str(rendezvous_port)}
    values["CUDA_VISIBLE_DEVICES"] = _devices(container, index)
    return values


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _devices(container: Mapping[str, Any], index: int) -> str:
    """The GPUs of this process: as many as the container's limit, the next ones for the next process."""
    limits = container.get("resources", {}).get("limits", {})
    gpus = sum(int(count) for name, count in limits.items() if "gpu" in name)
    return ",".join(str(device) for device in range(index * gpus, (index + 1) * gpus))


def job_uid(name: str) -> str:
    """What the API server's uid of a Job is elsewhere."""
    return f"local-{name}"


def pod_object(
    job: Mapping[str, Any],
    index: int,
    *,
    exit_record: Mapping[str, Any] | None,
    termination: str,
    started: str,
) -> dict[str, Any]:
    """A pod as the API server would show it. `exit_record` is {code, reason, at} of a process that has ended."""
    template = job["spec"]["template"]
    job_name = job["metadata"]["name"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job_name, "uid": job_uid(job_name)}
    name = f"{job_name}-{index}"
    status: dict[str, Any] = {"phase": "Running", "startTime": started, "conditions": []}
    if exit_record is not None:
        code = int(exit_record["code"])
        status["phase"] = "Succeeded" if code == 0 else "Failed"
        terminated = {
            "exitCode": code,
            "reason": exit_record["reason"],
            "message": termination,
            "startedAt": started,
            "finishedAt": exit_record["at"],
        }
        status["containerStatuses"] = [{"name": STAGE_CONTAINER, "state": {"terminated": terminated}}]
    else:
        status["containerStatuses"] = [
            {"name": STAGE_CONTAINER, "state": {"running": {"startedAt": started}}}
        ]
    return {
        "metadata": {
            "name": name,
            "namespace": job["metadata"]["namespace"],
            "labels": {
                **template["metadata"]["labels"],
                JOB_NAME_LABEL: job_name,
            },
            "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
            "ownerReferences": [owner | {"controller": True}],
            "creationTimestamp": started,
        },
        "spec": {"nodeName": socket.gethostname()},
        "status": status,
    }


def log_tail(log: Path) -> str:
    """The end of a log, for a process that left no termination message."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL))
        return file.read().decode(errors="replace")


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
