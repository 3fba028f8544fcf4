"""Environment of the stage's container."""

from __future__ import annotations

from collections.abc import Iterator

from reflection_api.contract import (
    CONFIG_VARIABLE,
    MASTER_ADDRESS_VARIABLE,
    MASTER_PORT_VARIABLE,
    PROGRESS_CA_VARIABLE,
    PROGRESS_TOKEN_FILE_VARIABLE,
    PROGRESS_URL_VARIABLE,
    S3_CREDENTIALS_VARIABLE,
    TERMINATION_LOG_VARIABLE,
    WORKDIR_VARIABLE,
)
from reflection_api.stages import ROUND_STAGES

from .attempt import Attempt, Child
from .own_verifier import service_environment
from .secrets import of_secret
from .service import RENDEZVOUS_PORT, needs_rendezvous, rendezvous_host
from .volumes import (
    AWS_KEYS,
    AWS_TOKEN,
    CA_FILE,
    CONFIG_PATH,
    CREDENTIALS_FOLDER,
    PROGRESS_CA,
    PROGRESS_TOKEN,
    SCRATCH_FOLDER,
)

TERMINATION_LOG = "/dev/termination-log"
TOKEN_VARIABLE = "HF_TOKEN"
CA_VARIABLE = "AWS_CA_BUNDLE"
"""Every client of AWS knows it."""


def environment(attempt: Attempt) -> list[Child]:
    """The variables of the stage contract. The index within the Job is added by Kubernetes."""
    return [
        *_paths(),
        *_progress(attempt),
        *_credentials(attempt),
        *_storage(attempt),
        *service_environment(attempt),
        *_rendezvous(attempt),
    ]


def _paths() -> Iterator[Child]:
    yield {"name": CONFIG_VARIABLE, "value": CONFIG_PATH}
    yield {"name": TERMINATION_LOG_VARIABLE, "value": TERMINATION_LOG}
    yield {"name": WORKDIR_VARIABLE, "value": SCRATCH_FOLDER}
    # Libraries keep their caches below the home folder, and the image's own cannot be written.
    yield {"name": "HOME", "value": SCRATCH_FOLDER}


def _progress(attempt: Attempt) -> Iterator[Child]:
    if attempt.progress and attempt.reports_progress:
        yield {"name": PROGRESS_URL_VARIABLE, "value": attempt.progress.url}
        yield {"name": PROGRESS_TOKEN_FILE_VARIABLE, "value": PROGRESS_TOKEN}
        yield {"name": PROGRESS_CA_VARIABLE, "value": PROGRESS_CA}


def _credentials(attempt: Attempt) -> Iterator[Child]:
    """A report and a clean-up know storage alone, so they get no key to anything else."""
    secret = attempt.resource.spec.model.credentials_secret
    if secret and attempt.stage in ROUND_STAGES:
        yield of_secret(secret, TOKEN_VARIABLE)


def _storage(attempt: Attempt) -> Iterator[Child]:
    """Keys to the storage, twice.

    In the environment, where the pod's status names a Secret that is missing, and as files, which follow one that is replaced.
    """
    storage = attempt.resource.spec.storage
    if storage.credentials_secret:
        for key in AWS_KEYS:
            yield of_secret(storage.credentials_secret, key)
        yield of_secret(storage.credentials_secret, AWS_TOKEN, optional=True)
        yield {"name": S3_CREDENTIALS_VARIABLE, "value": CREDENTIALS_FOLDER}
    if storage.ca_secret:
        yield {"name": CA_VARIABLE, "value": CA_FILE}


def _rendezvous(attempt: Attempt) -> Iterator[Child]:
    if needs_rendezvous(attempt):
        yield {"name": MASTER_ADDRESS_VARIABLE, "value": rendezvous_host(attempt)}
        yield {"name": MASTER_PORT_VARIABLE, "value": str(RENDEZVOUS_PORT)}
