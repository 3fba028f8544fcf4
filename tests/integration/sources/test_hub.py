"""hf:// against a hub on loopback: what arrives, with which token, and what is said where something is in the way.

Each download is a process of its own: huggingface_hub reads its variables once, when it is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from ...support.stage_runs import countdown_rows, run_stage, stage_config
from ...support.tiny_model import save_tiny_model
from .hub import TOKEN, Hub, Repository, commit_of, serving

MODEL = "hf://org/tiny"
PROMPTS = "hf://datasets/org/countdown/train.jsonl"

FETCH = """
import json, os, sys
from reflection_api.spec import ModelSpec
from reflection_trainer.errors import StageFailure
from reflection_trainer.sources.hub import hub_file, hub_model
what, token = json.loads(sys.argv[1]), os.environ.get("HF_TOKEN")
try:
    if what.pop("kind") == "model":
        path = hub_model(ModelSpec(**what), token=token)
    else:
        path = hub_file(what["uri"], "spec.task.prompts", token=token)
    print(json.dumps({"path": str(path)}))
except StageFailure as failure:
    print(json.dumps({"message": failure.message, "reason": failure.reason, "exit_code": int(failure.exit_code)}))
"""


class Fetched(NamedTuple):
    """Where the files are, or why they are not."""

    path: Path | None
    message: str = ""
    reason: str = ""
    exit_code: int = 0


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {
        "config.json": b'{"at": "main"}',
        "model.safetensors": b"weights",
        "pytorch_model.bin": b"in the other format",
        "original/params.json": b"{}",
    }
    content = Hub(
        {
            "models/org/tiny": Repository({"main": files, "v1": files | {"config.json": b'{"at": "v1"}'}}),
            "models/org/no-main": Repository({"v1": files}),
            "models/org/private": Repository({"main": files}, private=True),
            "models/org/gated": Repository({"main": files}, gated=True),
            "models/org/large": Repository(
                {"main": files}, private=True, large=frozenset({"model.safetensors"})
            ),
            "datasets/org/countdown": Repository(
                {
                    "main": {"train.jsonl": b"main\n", "deep/er.jsonl": b"deep\n"},
                    "v1": {"train.jsonl": b"v1\n"},
                }
            ),
        }
    )
    with serving(content):
        yield content


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """Of a process that downloads into a cache of its own."""
    return {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}


@pytest.fixture
def fetch(environment: dict[str, str]) -> Callable[..., Fetched]:
    def fetched(kind: str, uri: str, *, token: str | None = None, **fields: str) -> Fetched:
        own = environment | ({"HF_TOKEN": token} if token else {})
        done = subprocess.run(
            [sys.executable, "-c", FETCH, json.dumps({"kind": kind, "uri": uri, **fields})],
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return Fetched(Path(said["path"])) if "path" in said else Fetched(None, **said)

    return fetched


def test_a_model_arrives_without_the_weights_of_other_formats(fetch, hub):
    folder = fetch("model", MODEL).path
    assert sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()) == [
        "config.json",
        "model.safetensors",
        "original/params.json",
    ]
    assert (folder / "config.json").read_bytes() == b'{"at": "main"}'
    assert folder.name == commit_of("main")
    assert {request.token for request in hub.requests} == {None}


@pytest.mark.parametrize("revision", ["v1", commit_of("v1")])
def test_a_revision_is_a_name_or_a_commit(fetch, revision):
    folder = fetch("model", MODEL, revision=revision).path
    assert (folder / "config.json").read_bytes() == b'{"at": "v1"}'


def test_the_token_goes_with_every_request(fetch, hub):
    assert fetch("model", "hf://org/private", token=TOKEN).path
    assert len(hub.requests) > 2
    assert {request.token for request in hub.requests} == {TOKEN}


def test_large_files_come_from_elsewhere_and_the_token_does_not_go_there(fetch, hub):
    folder = fetch("model", "hf://org/large", token=TOKEN).path
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert (folder / "config.json").read_bytes() == b'{"at": "main"}'
    sent = {("/stored/" in request.path, request.token) for request in hub.requests}
    assert sent == {(True, None), (False, TOKEN)}


@pytest.mark.parametrize(
    ("uri", "content"),
    [
        (PROMPTS, "main\n"),
        ("hf://datasets/org/countdown@v1/train.jsonl", "v1\n"),
        ("hf://datasets/org/countdown/deep/er.jsonl", "deep\n"),
    ],
)
def test_prompts_are_one_file_of_a_dataset(fetch, uri, content):
    assert fetch("prompts", uri).path.read_text() == content


def test_what_was_downloaded_is_there_without_the_hub(fetch, hub):
    first, prompts = fetch("model", MODEL).path, fetch("prompts", PROMPTS).path
    hub.down = True
    assert fetch("model", MODEL).path == first
    assert fetch("prompts", PROMPTS).path == prompts


NO_REPOSITORY = (
    "there is no such repository, or it is private: check the name, or give a token "
    "(spec.model.credentialsSecret, or HF_TOKEN)"
)
DENIED = "access is denied (401): give a token (spec.model.credentialsSecret, or HF_TOKEN) that may read it"


@pytest.mark.parametrize(
    ("uri", "fields", "problem"),
    [
        ("hf://org/none", {}, NO_REPOSITORY),
        ("hf://org/private", {}, NO_REPOSITORY),
        (
            "hf://org/gated",
            {"token": TOKEN},
            "the repository is gated: accept its terms, and give a token (spec.model.credentialsSecret, or HF_TOKEN)",
        ),
        ("hf://org/tiny", {"token": "hf_expired"}, DENIED),
        (
            "hf://org/tiny",
            {"revision": "v2"},
            "there is no revision v2 of it; name a branch, tag or commit that exists",
        ),
        (
            "hf://org/tiny",
            {"revision": "0" * 40},
            f"there is no revision {'0' * 40} of it; name a branch, tag or commit that exists",
        ),
        (
            "hf://org/no-main",
            {},
            "there is no revision main of it; name a branch, tag or commit that exists",
        ),
    ],
    ids=["no repository", "private", "gated", "expired token", "no revision", "no commit", "no main"],
)
def test_a_model_that_cannot_be_had(fetch, uri, fields, problem):
    assert fetch("model", uri, **fields) == (None, f"spec.model.uri: {uri}: {problem}", "InvalidModel", 78)


@pytest.mark.parametrize(
    ("uri", "fields", "problem"),
    [
        ("hf://datasets/org/none/train.jsonl", {}, NO_REPOSITORY),
        (
            "hf://datasets/org/countdown/none.jsonl",
            {},
            "there is no such file in the repository; check the name",
        ),
        (
            "hf://datasets/org/countdown@v2/train.jsonl",
            {},
            "there is no revision v2 of it; name a branch, tag or commit that exists",
        ),
        (PROMPTS, {"token": "hf_expired"}, DENIED),
    ],
    ids=["no repository", "no file", "no revision", "expired token"],
)
def test_prompts_that_cannot_be_had(fetch, uri, fields, problem):
    assert fetch("prompts", uri, **fields) == (
        None, f"spec.task.prompts.uri: {uri}: {problem}", "InvalidPrompts", 78,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "uri", "field"), [("model", MODEL, "model"), ("prompts", PROMPTS, "task.prompts")]
)
def test_a_hub_that_is_down_is_asked_again_later(fetch, hub, kind, uri, field):
    hub.down = True
    failure = fetch(kind, uri)
    assert (failure.reason, failure.exit_code) == ("DependencyUnavailable", 75)
    assert failure.message.startswith(f"spec.{field}.uri: {uri}: the hub did not answer (")
    assert failure.message.endswith("; check the network, HF_ENDPOINT and HF_HUB_OFFLINE")
    assert "503 Service Unavailable" in failure.message


def test_nobody_listens(fetch, environment):
    environment["HF_ENDPOINT"] = "http://127.0.0.1:1"
    failure = fetch("model", MODEL)
    assert (failure.reason, failure.exit_code) == ("DependencyUnavailable", 75)
    assert "the hub did not answer ([Errno 111] Connection refused)" in failure.message


@pytest.mark.parametrize(
    ("kind", "uri", "field"), [("model", MODEL, "model"), ("prompts", PROMPTS, "task.prompts")]
)
def test_nowhere_to_store_it(fetch, environment, tmp_path, kind, uri, field):
    (tmp_path / "file").touch()
    environment["HF_HOME"] = str(tmp_path / "file" / "hf")
    assert fetch(kind, uri) == (
        None,
        f"spec.{field}.uri: {uri}: cannot store the download: Not a directory; mend the folder of HF_HOME",
        "DependencyUnavailable",
        75,
    )


def test_offline_and_not_downloaded_yet(fetch, environment, hub):
    environment["HF_HUB_OFFLINE"] = "1"
    failure = fetch("model", MODEL)
    assert (failure.reason, failure.exit_code, hub.requests) == ("DependencyUnavailable", 75, [])
    assert "offline mode is enabled" in failure.message


@pytest.mark.slow
@pytest.mark.training
def test_every_stage_reads_model_and_prompts_from_the_hub(hub, environment, tmp_path):
    """One after the other, each with a cache of its own, as pods have. The model's only revision is no branch of that name."""
    model = save_tiny_model(tmp_path / "model")
    weights = {file.name: file.read_bytes() for file in model.iterdir()}
    lines = "".join(json.dumps(row) + "\n" for row in countdown_rows(20)).encode()
    hub.repositories["models/org/tiny"] = Repository({"v1": weights}, private=True)
    hub.repositories["datasets/org/countdown"] = Repository({"main": {"train.jsonl": lines}}, private=True)
    changes = {
        "model.revision": "v1",
        "policy.revision": "v1",
        "training.maxSteps": 1,
        "training.reflectionMaxTokens": 8,
        "training.retryMaxTokens": 8,
    }
    read = {}
    for stage in ("rollout", "verify", "train", "evaluate"):
        config = stage_config(stage, folder=tmp_path / "runs", model=MODEL, prompts=PROMPTS, changes=changes)
        own = environment | {"HF_HOME": str(tmp_path / stage), "HF_TOKEN": TOKEN}
        run = run_stage(config, tmp_path / "scratch" / stage, environment=own)
        assert run.exit_code == 0, run.stderr
        assert {request.token for request in hub.requests} <= {TOKEN}
        read[stage] = {Path(request.path).name for request in hub.requests} & {
            "model.safetensors",
            "train.jsonl",
        }
        hub.requests.clear()
    assert read == {
        "rollout": {"model.safetensors", "train.jsonl"},
        "verify": set(),
        "train": {"model.safetensors"},
        "evaluate": {"model.safetensors", "train.jsonl"},
    }
    [shard] = (tmp_path / "runs").rglob("attempts-*.parquet")
    assert pq.read_table(shard).num_rows == 18 * 4
    assert list((tmp_path / "runs").rglob("evaluate/result.json"))
