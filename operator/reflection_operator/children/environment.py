"""Environment of the stage's container."""

from __future__ import annotations

from collections.abc import Iterator

from reflection_api.contract import (
    CONFIG_VARIABLE,
    MASTER_ADDRESS_VARIABLE,
    MASTER_PORT_VARIABLE,
    TERMINATION_LOG_VARIABLE,
    WORKDIR_VARIABLE,
)
from reflection_api.stages import Stage

from .attempt import Attempt, Child
from .service import RENDEZVOUS_PORT, needs_rendezvous, rendezvous_host
from .volumes import CONFIG_PATH, SCRATCH_FOLDER

TERMINATION_LOG = "/dev/termination-log"
TOKEN_VARIABLE = "HF_TOKEN"


def environment(attempt: Attempt) -> list[Child]:
    """The variables of the stage contract. The index within the Job is added by Kubernetes."""
    return [*_paths(), *_credentials(attempt), *_rendezvous(attempt)]


def _paths() -> Iterator[Child]:
    yield {"name": CONFIG_VARIABLE, "value": CONFIG_PATH}
    yield {"name": TERMINATION_LOG_VARIABLE, "value": TERMINATION_LOG}
    yield {"name": WORKDIR_VARIABLE, "value": SCRATCH_FOLDER}
    # Libraries keep their caches below the home folder, and the image's own cannot be written.
    yield {"name": "HOME", "value": SCRATCH_FOLDER}


def _credentials(attempt: Attempt) -> Iterator[Child]:
    """A report reads storage alone, so it gets no key to anything else."""
    secret = attempt.resource.spec.model.credentials_secret
    if secret and attempt.stage is not Stage.REPORT:
        yield {"name": TOKEN_VARIABLE, "valueFrom": {"secretKeyRef": {"name": secret, "key": TOKEN_VARIABLE}}}


def _rendezvous(attempt: Attempt) -> Iterator[Child]:
    if needs_rendezvous(attempt):
        yield {"name": MASTER_ADDRESS_VARIABLE, "value": rendezvous_host(attempt)}
        yield {"name": MASTER_PORT_VARIABLE, "value": str(RENDEZVOUS_PORT)}
