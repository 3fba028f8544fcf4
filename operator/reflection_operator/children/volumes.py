"""Volumes of a pod, and where its container mounts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from reflection_api.contract import CLAIM_MOUNTS, PROGRESS_AUDIENCE
from reflection_api.spec import PodSpecOverrides, ReflectionTrainingSpec
from reflection_api.stages import ROUND_STAGES, Stage

from .attempt import Attempt, Child
from .config_map import AUTHORITY_KEY, CONFIG_KEY
from .labels import CONFIG_ANNOTATION
from .overrides import merge_lists
from .own_verifier import service_volumes, sidecar_volumes
from .secrets import CA_KEY, Mount, secret_files

CONFIG_FOLDER = "/etc/reflect"
CONFIG_PATH = f"{CONFIG_FOLDER}/{CONFIG_KEY}"
PROGRESS_FOLDER = "/etc/reflect-progress"
PROGRESS_TOKEN = f"{PROGRESS_FOLDER}/token"
PROGRESS_CA = f"{PROGRESS_FOLDER}/{CA_KEY}"
CREDENTIALS_FOLDER = "/etc/reflect-s3"
CA_FOLDER = "/etc/reflect-ca"
CA_FILE = f"{CA_FOLDER}/{CA_KEY}"
SCRATCH_FOLDER = "/scratch"
TEMPORARY_FOLDER = "/tmp"  # noqa: S108  the pod's own, shared with nobody
SHARED_MEMORY = "/dev/shm"  # noqa: S108  likewise

_TOKEN_SECONDS = 3600
"""The kubelet replaces it before it ends."""

AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
AWS_TOKEN = "AWS_SESSION_TOKEN"
"""Keys of a Secret with credentials, and names of the variables that AWS's clients read."""


def volumes_and_mounts(attempt: Attempt, changes: PodSpecOverrides) -> tuple[list[Child], list[Child]]:
    """Volumes of the pod and mounts of its container.

    The resource may put a volume of its own in the place of a temporary one (a fast disk at /scratch, say), but neither the
    configuration nor a claim can be replaced.
    """
    taken = [entry.get("mountPath") for entry in changes.volume_mounts]
    ours = [mount for mount in temporary(attempt.stage) if mount.path not in taken]
    ours += [configuration(attempt), *progress(attempt), *storage_secrets(attempt), *service_volumes(attempt)]
    ours += claims(attempt)
    volumes = merge_lists(changes.volumes, (mount.volume() for mount in [*ours, *sidecar_volumes(attempt)]))
    mounts = merge_lists(changes.volume_mounts, (mount.mount() for mount in ours), key="mountPath")
    return volumes, mounts


def temporary(stage: Stage) -> Iterator[Mount]:
    """Places to write, lost with the pod: the image itself is read-only."""
    yield Mount("reflect-tmp", TEMPORARY_FOLDER, {"emptyDir": {}})
    yield Mount("reflect-scratch", SCRATCH_FOLDER, {"emptyDir": {}})
    if stage in (Stage.ROLLOUT, Stage.TRAIN, Stage.EVALUATE):
        # Data loaders, NCCL and vLLM's workers pass tensors through shared memory, of which a container has 64 MiB.
        yield Mount("reflect-shm", SHARED_MEMORY, {"emptyDir": {"medium": "Memory"}})


def configuration(attempt: Attempt) -> Mount:
    """The StageConfig: from the ConfigMap, or where there is none from the pod itself."""
    source: Child = {"configMap": {"name": attempt.name}}
    if attempt.stage is Stage.CLEANUP:
        field = {"fieldRef": {"fieldPath": f"metadata.annotations['{CONFIG_ANNOTATION}']"}}
        source = {"downwardAPI": {"items": [field | {"path": CONFIG_KEY}]}}
    return Mount("reflect-config", CONFIG_FOLDER, source, read_only=True)


def progress(attempt: Attempt) -> Iterator[Mount]:
    """A token that is good for reports and nothing else, as long as the pod lives, and whom to send them to.

    The ConfigMap may be an older one, without an authority: then nothing is reported, and the pod starts all the same.
    """
    if attempt.reports_progress:
        token = {"audience": PROGRESS_AUDIENCE, "expirationSeconds": _TOKEN_SECONDS, "path": "token"}
        items = [{"key": AUTHORITY_KEY, "path": CA_KEY}]
        authority = {"name": attempt.name, "items": items, "optional": True}
        sources = [{"serviceAccountToken": token}, {"configMap": authority}]
        yield Mount("reflect-progress", PROGRESS_FOLDER, {"projected": {"sources": sources}}, read_only=True)


def storage_secrets(attempt: Attempt) -> Iterator[Mount]:
    """What opens the storage, read-only for the user of the pod.

    Keys are optional: the environment refers to them, too, where the pod's status names those that are missing, and not every
    Secret has a session's token. For certificates pods wait, and the kubelet's events say so.
    """
    storage = attempt.resource.spec.storage
    if storage.credentials_secret:
        source = secret_files(storage.credentials_secret, *AWS_KEYS, AWS_TOKEN, optional=True)
        yield Mount("reflect-s3", CREDENTIALS_FOLDER, source, read_only=True)
    if storage.ca_secret:
        yield Mount("reflect-ca", CA_FOLDER, secret_files(storage.ca_secret, CA_KEY), read_only=True)


def claims(attempt: Attempt) -> list[Mount]:
    """The claims of `pvc://claim/path` URIs, read-only. A report and a clean-up know storage alone."""
    if attempt.stage not in ROUND_STAGES:
        return []
    return [
        Mount(
            f"reflect-claim-{number}",
            str(PurePosixPath(CLAIM_MOUNTS, claim)),
            {"persistentVolumeClaim": {"claimName": claim, "readOnly": True}},
            read_only=True,
        )
        for number, claim in enumerate(sorted(claim_names(attempt.resource.spec)))
    ]


def claim_names(spec: ReflectionTrainingSpec) -> set[str]:
    """Claims that models, prompts and definitions of benchmarks lie on."""
    evaluation = spec.evaluation
    definitions = evaluation.regression.definitions if evaluation.regression else None
    places = (spec.model, spec.task.prompts, evaluation.prompts, evaluation.compare_model, definitions)
    uris = [place.uri for place in places if place]
    parts = [urlsplit(uri) for uri in uris]
    return {part.netloc for part in parts if part.scheme == "pvc"}
