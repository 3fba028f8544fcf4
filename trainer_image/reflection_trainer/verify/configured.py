"""The verifier that a task names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reflection_api.base import ApiModel
from reflection_api.contract import VERIFIER_PATIENCE_VARIABLE, VERIFIER_URL_VARIABLE
from reflection_api.reasons import Reason
from reflection_api.verifiers import InvalidVerifier

from ..errors import BadConfig
from ..patience import Patience
from .registry import make_verifier

if TYPE_CHECKING:
    from reflection_api.spec import ContainerVerifierSpec, HttpVerifierSpec, TaskSpec

    from .remote.access import Access
    from .verifier import Verifier

_FIELD = "spec.task.verifier"


class HttpOptions(ApiModel):
    """What the verdicts of a service depend on, as far as we know; time-outs and keys are not among it."""

    url: str


class ContainerOptions(ApiModel):
    """The same of a container. Its variables are left out: a manifest is no place for what may be a key."""

    image: str
    command: list[str]
    args: list[str]


def task_verifier(task: TaskSpec) -> Verifier:
    """The verifier of `spec.task.verifier`. A service is not asked anything yet.

    Raises:
        BadConfig: an option is unknown or has a value that it cannot take (reason InvalidSpec).
    """
    spec = task.verifier
    if spec.http:
        return _over_http(spec.http)
    if spec.container:
        return _beside(spec.container)
    if spec.builtin is None:
        raise BadConfig(f"{_FIELD}: names none; give builtin, container or http", reason=Reason.INVALID_SPEC)
    try:
        return make_verifier(spec.builtin.name, spec.builtin.options)
    except InvalidVerifier as error:
        raise BadConfig(f"{_FIELD}.builtin.{error}", reason=Reason.INVALID_SPEC) from error


def over_http(url: str, patience: Patience) -> Verifier:
    """A service as somebody at a terminal reaches it.

    Raises:
        BadConfig: this can be no address.
    """
    from .remote.access import Access

    access = Access.of_environment(url)
    access.trust()
    return _remote("http", HttpOptions(url=url), access, patience)


def _over_http(spec: HttpVerifierSpec) -> Verifier:
    # Here, since few tasks need it: it brings an HTTP client.
    from .remote.access import Access

    access = Access(
        url=spec.url,
        seconds=spec.timeout_seconds,
        token=spec.token_secret is not None,
        authority=spec.ca_secret is not None,
    )
    return _remote("http", HttpOptions(url=spec.url), access)


def _beside(spec: ContainerVerifierSpec) -> Verifier:
    """In a pod its address is that of the sidecar, on a laptop what the user says."""
    from .remote.access import Access

    access = Access(
        url=os.environ.get(VERIFIER_URL_VARIABLE, f"http://127.0.0.1:{spec.port}"),
        seconds=spec.timeout_seconds,
        field=f"{_FIELD}.container",
        beside=True,
    )
    options = ContainerOptions(image=spec.image, command=spec.command, args=spec.args)
    return _remote("container", options, access)


def _remote(name: str, options: ApiModel, access: Access, patience: Patience | None = None) -> Verifier:
    from .remote.service import Service
    from .remote.verifier import RemoteVerifier

    patience = patience or Patience.of_environment(VERIFIER_PATIENCE_VARIABLE)
    return RemoteVerifier(name, options, Service(access, patience))
