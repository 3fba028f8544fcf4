"""Where everything lies in storage, and what things are called.

    <storage.uri>/<namespace>/<name>-<uid8>/round-<n>/rollout/attempts-00000-of-00004.parquet (+ .manifest.json)
                                                      verify/audit.json, verify/failures-00000-of-00004.parquet,
                                                      verify/manifest.json
                                                      train/checkpoint-<step>/manifest.json, train/model/manifest.json
                                                      evaluate/result.json
                                           /report/index.html, report/report.json, report/report.md

uid8 is the first eight characters of the resource's uid.
"""

from __future__ import annotations

import re

from .stages import ROUND_STAGES, Stage

MANIFEST = "manifest.json"
"""Name of the manifest of a folder; the manifest of a file stands beside it with `.manifest.json` appended."""

_NAME_CUT = 32
_CHILD = re.compile(r"-r(\d{1,2})-([a-z]+)-(\d{1,7})$")


def run_name(name: str, uid: str) -> str:
    """`<name>-<first 8 of uid>`: two runs of one name never share a folder."""
    return f"{name}-{uid[:8]}"


def run_uri(storage_uri: str, namespace: str, name: str, uid: str) -> str:
    """The folder of a run."""
    return f"{storage_uri.rstrip('/')}/{namespace}/{run_name(name, uid)}"


def stage_path(round_number: int, stage: Stage) -> str:
    """The folder of a stage, relative to the run's; the report belongs to the run, not to a round."""
    if stage not in ROUND_STAGES:
        return stage.value
    return f"round-{round_number}/{stage.value}"


def model_path(round_number: int) -> str:
    """The folder of the model that a round trained, relative to the run's."""
    return f"{stage_path(round_number, Stage.TRAIN)}/model"


def file_manifest(path: str) -> str:
    """The manifest of a file."""
    return f"{path}.{MANIFEST}"


def shard_name(stem: str, index: int, count: int) -> str:
    """Name of a Parquet shard, for example attempts-00000-of-00004.parquet."""
    return f"{stem}-{index:05d}-of-{count:05d}.parquet"


def child_name(name: str, uid: str, round_number: int, stage: Stage, attempt: int) -> str:
    """Name of the Job (and its ConfigMap and Service) of an attempt: the same every time.

    Short enough that the host name of a pod, which is the Job's name and `-<index>`, keeps within 63 characters.
    """
    return f"{name[:_NAME_CUT].rstrip('-')}-{uid[:8]}-r{round_number}-{stage.value}-{attempt}"


def attempt_of(child: str, name: str, uid: str) -> tuple[int, Stage, int] | None:
    """Round, stage and attempt from the name of a child of this run; None where it is no such name."""
    found = _CHILD.search(child)
    if found is None or found[2] not in list(Stage):
        return None
    attempt = int(found[1]), Stage(found[2]), int(found[3])
    return attempt if child_name(name, uid, *attempt) == child else None
