"""What the pods that judge need for an own verifier: the keys to its service, or the service itself beside them."""

from __future__ import annotations

from collections.abc import Iterator

from reflection_api.contract import (
    VERIFIER_CA_VARIABLE,
    VERIFIER_TOKEN_FILE_VARIABLE,
    VERIFIER_TOKEN_VARIABLE,
    VERIFIER_URL_VARIABLE,
)
from reflection_api.spec import ContainerVerifierSpec, HttpVerifierSpec
from reflection_api.stages import Stage
from reflection_api.verifier_service import HEALTH_PATH

from ..settings import OperatorSettings
from .attempt import Attempt, Child
from .labels import VERIFIER_CONTAINER
from .overrides import merge_lists
from .secrets import CA_KEY, Mount, of_secret, secret_files

JUDGING = (Stage.VERIFY, Stage.TRAIN, Stage.EVALUATE)
"""Stages that ask the verifier. A rollout only reads its rows."""
TOKEN_FOLDER = "/etc/reflect-verifier-token"
TOKEN_KEY = "token"
CA_FOLDER = "/etc/reflect-verifier-ca"
TEMPORARY = Mount("reflect-verifier-tmp", "/tmp", {"emptyDir": {}})  # noqa: S108  the service's own
START_SECONDS = 600
"""For the service to load what it judges with; then the kubelet starts it again."""


def service_environment(attempt: Attempt) -> Iterator[Child]:
    """The token twice: in the environment, where the pod's status names a Secret that is missing, and as a file, which
    follows one that is replaced.
    """
    http = _service(attempt)
    if http and http.token_secret:
        yield of_secret(http.token_secret, TOKEN_KEY, VERIFIER_TOKEN_VARIABLE)
        yield {"name": VERIFIER_TOKEN_FILE_VARIABLE, "value": f"{TOKEN_FOLDER}/{TOKEN_KEY}"}
    if http and http.ca_secret:
        yield {"name": VERIFIER_CA_VARIABLE, "value": f"{CA_FOLDER}/{CA_KEY}"}
    if beside := _beside(attempt):
        yield {"name": VERIFIER_URL_VARIABLE, "value": f"http://127.0.0.1:{beside.port}"}


def service_volumes(attempt: Attempt) -> Iterator[Mount]:
    """Where the files of these variables are."""
    http = _service(attempt)
    if http and http.token_secret:
        source = secret_files(http.token_secret, TOKEN_KEY, optional=True)
        yield Mount("reflect-verifier-token", TOKEN_FOLDER, source, True)
    if http and http.ca_secret:
        yield Mount("reflect-verifier-ca", CA_FOLDER, secret_files(http.ca_secret, CA_KEY), True)


def sidecar_volumes(attempt: Attempt) -> list[Mount]:
    """What the service alone mounts."""
    return [TEMPORARY] if _beside(attempt) else []


def _service(attempt: Attempt) -> HttpVerifierSpec | None:
    return attempt.resource.spec.task.verifier.http if attempt.stage in JUDGING else None


def _beside(attempt: Attempt) -> ContainerVerifierSpec | None:
    return attempt.resource.spec.task.verifier.container if attempt.stage in JUDGING else None


def sidecars(attempt: Attempt, settings: OperatorSettings, security: Child) -> list[Child]:
    """The service of a container verifier, as a native sidecar.

    The kubelet starts the stage once the service says that it can judge, starts the service again where it ends, and ends it
    with the stage. It gets neither the keys of the stage nor its volumes: it sees what it is asked, and no more.
    """
    spec = _beside(attempt)
    if spec is None:
        return []
    port = {"name": "PORT", "value": str(spec.port)}
    container = {
        "name": VERIFIER_CONTAINER,
        "image": spec.image,
        "imagePullPolicy": settings.image_pull_policy,
        "restartPolicy": "Always",
        "command": spec.command,
        "args": spec.args,
        "env": merge_lists([port], spec.env, [port]),
        "ports": [{"name": "verifier", "containerPort": spec.port}],
        "resources": spec.resources,
        "startupProbe": {
            "httpGet": {"path": HEALTH_PATH, "port": "verifier"},
            "periodSeconds": 2,
            "timeoutSeconds": 5,
            "failureThreshold": START_SECONDS // 2,
        },
        "volumeMounts": [TEMPORARY.mount()],
        "securityContext": security,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return [{key: value for key, value in container.items() if value not in (None, [])}]
