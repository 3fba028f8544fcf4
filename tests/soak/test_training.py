"""A training on S3 that is killed again and again, over a connection that fails: `make soak ONLY=training`.

SOAK_KILLS sets another number than fifty. It leaves build/bench/training_soak.json, for the page of the benchmarks.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reflection_api.contract import StageConfig
from reflection_api.layout import MANIFEST
from reflection_api.spec import StorageSpec
from reflection_trainer.context import StageContext
from reflection_trainer.errors import StageFailure
from reflection_trainer.storage import Artifacts, open_store

from bench._records import metric, write

from ..integration.train import tiny
from ..integration.train.stages import FOLDER, steps_done
from ..support.chance import drawn_seed
from ..support.faults import Chaos, Exchange, Reset
from ..support.s3_server import ROOT
from ..support.stage_runs import run_stage, start_stage

KILLS = int(os.environ.get("SOAK_KILLS", "50"))
LATE = max(1, KILLS // 10)
"""How many of them, the last ones, come when all steps are done and the model is being published."""
GUARD_SECONDS = 600
SHARE_OF_FAULTS = 0.02
KINDS_OF_HARM = 6
EVERY = 2
STEPS_PER_KILL = 6
"""Steps of the training for each kill: three checkpoints, so that most kills find one more than the kill before."""
SETTINGS: dict[str, Any] = {
    "maxSteps": max(20, STEPS_PER_KILL * KILLS),
    "checkpoint": {"everySteps": EVERY, "keepLast": 2},
    "method": {"numGenerations": 4, "deadGroups": "refill"},
    "retryMaxTokens": 1,
}
PUBLISHED = ("metrics.jsonl", "metrics.jsonl.manifest.json", "model/model.safetensors", "model/manifest.json")
"""What is stored after the last step, in this order; with the last of them the training is complete."""
WIDTH = 384
"""So that weights and optimizer go in several parts, and a kill can leave an upload unfinished."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_model(tmp_path / "model", width=WIDTH)


@pytest.fixture
def buckets(s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One for the training that nobody disturbs, one for the other."""
    for name, value in {**ROOT.environment, "REFLECT_STORAGE_PATIENCE": "60"}.items():
        monkeypatch.setenv(name, value)
    return [s3_server.new_bucket(), s3_server.new_bucket()]


def prepared(folder: Path, model: Path, bucket: str, server: str, endpoint: str) -> StageConfig:
    """A configuration whose dataset of failures is in the bucket, and that goes to `endpoint`."""
    config = tiny.config(model, folder, **SETTINGS)
    uri = f"s3://{bucket}/runs"
    direct = config.model_copy(update={"storage": StorageSpec(uri=uri, endpoint=server)})
    folder.mkdir()
    context = StageContext(direct, artifacts(direct), folder, 0)
    tiny.store_failures(context, model, tiny.failures(10))
    return config.model_copy(update={"storage": StorageSpec(uri=uri, endpoint=endpoint)})


def artifacts(config: StageConfig) -> Artifacts:
    return Artifacts(open_store(config.run_uri, config.storage))


def newest(folder: Path) -> int:
    """The step of the newest complete checkpoint; 0 without one."""
    found = [int(file.parent.name.rsplit("-", 1)[1]) for file in folder.glob(f"checkpoint-*/{MANIFEST}")]
    return max(found, default=0)


def kill_at(process: subprocess.Popen[str], scratch: Path, step: int, delay: float) -> bool:
    """Kill it `delay` seconds after a step is done; whether it was alive until then."""
    deadline = time.monotonic() + GUARD_SECONDS
    while steps_done(scratch) < step:
        if process.poll() is not None:  # the storage was away for too long
            break
        assert time.monotonic() < deadline, "it does not train"
        time.sleep(0.005)
    else:
        time.sleep(delay)
    process.kill()
    _, log = process.communicate()
    assert process.returncode in (-9, 75), log
    return process.returncode == -9


def kill_before(name: str, process: subprocess.Popen[str], proxy: Any) -> bool:
    """Kill it as it stores such an object, which never arrives; whether it came to that."""

    def kill(_: Exchange) -> None:
        process.kill()
        raise Reset

    fault = proxy.inject(kill, method="PUT|POST", target=rf"/{FOLDER}/{re.escape(name)}(\?|$)")
    _, log = process.communicate(timeout=GUARD_SECONDS)
    came, fault.times = fault.times == 0, 0
    assert process.returncode == (-9 if came else 75), log
    return came


@pytest.mark.timeout(6 * 3600)
def test_it_ends_with_the_same_weights_and_leaves_nothing_behind(
    tmp_path: Path, model: Path, s3_server: Any, s3_proxy: Any, buckets: list[str]
) -> None:
    seed = drawn_seed()
    print(f"{KILLS} kills")
    rng = random.Random(seed)
    direct = s3_server.endpoint
    whole = prepared(tmp_path / "whole", model, buckets[0], direct, direct)
    undisturbed = run_stage(whole, tmp_path / "whole" / "scratch", timeout=3600)
    assert undisturbed.exit_code == 0, undisturbed.stderr
    step_seconds = undisturbed.result.metrics["seconds"] / SETTINGS["maxSteps"]

    config = prepared(tmp_path / "broken", model, buckets[1], direct, s3_proxy.endpoint)
    s3_proxy.chaos = Chaos(random.Random(seed), SHARE_OF_FAULTS)
    stored = s3_server.objects / buckets[1] / "runs" / FOLDER
    kills, attempts, own_steps = 0, 0, []
    late = [*PUBLISHED[::-1], *rng.choices(PUBLISHED, k=LATE)][:LATE]
    rng.shuffle(late)
    while kills < KILLS:
        attempts += 1
        assert attempts < 2 * KILLS + 10, "the storage is away too often"
        scratch = tmp_path / "broken" / f"attempt-{attempts}"
        if kills >= KILLS - LATE:
            if kill_before(late[KILLS - kills - 1], start_stage(config, scratch), s3_proxy):
                assert steps_done(scratch) == SETTINGS["maxSteps"]
                kills += 1
            continue
        # Anywhere: before the first step, within one, while a checkpoint is made or on its way.
        begun = newest(stored)
        steps = begun + rng.randrange(STEPS_PER_KILL)
        if kill_at(start_stage(config, scratch), scratch, steps, rng.uniform(0, 2 * step_seconds)):
            kills += 1
            own_steps.append(max(0, steps_done(scratch) - begun))
    assert newest(stored) == SETTINGS["maxSteps"]
    assert sum(steps > 0 for steps in own_steps) >= len(own_steps) // 2, (
        "it was rarely training when it was killed"
    )
    last = run_stage(config, tmp_path / "broken" / "last", timeout=3600)
    assert last.exit_code == 0, last.stderr
    assert "going on from checkpoint-" in last.stderr
    harm, s3_proxy.chaos = s3_proxy.chaos.done, None
    parts = sum("partNumber=" in request for request in s3_proxy.requests)
    assert parts > KILLS
    assert harm.total() >= len(s3_proxy.requests) * SHARE_OF_FAULTS / 2 - 3, "less than chance has it"
    assert len(harm) == KINDS_OF_HARM or harm.total() < 10 * KINDS_OF_HARM, (
        f"of some kind there was none: {harm}"
    )
    equal = weights(s3_server, buckets[1]) == weights(s3_server, buckets[0])
    straight = config.model_copy(update={"storage": StorageSpec(uri=config.storage.uri, endpoint=direct)})
    unreadable = unreadable_artefacts(straight, tmp_path)
    unfinished = s3_server.client().list_multipart_uploads(Bucket=buckets[1]).get("Uploads", [])
    figures = [
        metric("kills", kills, "", ">=", KILLS),
        metric("of them while the model was published", LATE, "", ">=", 1),
        metric("weights equal those of a training that nobody disturbed", int(equal), "", ">=", 1),
        metric("artefacts that cannot be read, files without a manifest", len(unreadable), "", "<=", 0),
        metric("unfinished uploads", len(unfinished), "", "<=", 0),
    ]
    details = {
        "seed": seed,
        "stepsOfEachBeforeItWasKilled": own_steps,
        "publishedWhenKilled": late,
        "harm": dict(harm),
        "weights": weights(s3_server, buckets[1]),
        "stated": {
            "steps": SETTINGS["maxSteps"],
            "requests": len(s3_proxy.requests),
            "of them parts of uploads": parts,
            **{f"of them harmed: {kind}": count for kind, count in sorted(harm.items())},
            "attempts that the storage ended": attempts - kills,
        },
    }
    write("training_soak", figures, details)
    missed = [figure["name"] for figure in figures if not figure["meets"]]
    assert not missed, [*unreadable, *unfinished]


def weights(s3_server: Any, bucket: str) -> str:
    file = s3_server.objects / bucket / "runs" / FOLDER / "model" / "model.safetensors"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def unreadable_artefacts(config: StageConfig, folder: Path) -> list[str]:
    """What does not match its manifest, and files of checkpoints that are without one."""
    found = artifacts(config)
    names = list(found.store.versions(""))
    folders = [name.removesuffix(f"/{MANIFEST}") for name in names if name.endswith(f"/{MANIFEST}")]
    assert len([name for name in folders if "/checkpoint-" in name]) == SETTINGS["checkpoint"]["keepLast"]
    files = [name.removesuffix(f".{MANIFEST}") for name in names if name.endswith(f".{MANIFEST}")]
    assert files, "the dataset and the metrics have manifests beside them"
    unreadable = [name for name in folders if not readable(found.get_folder, name, folder)]
    unreadable += [name for name in files if not readable(found.get_file, name, folder)]
    inside = tuple(f"{name}/" for name in folders)
    return unreadable + [name for name in names if "/checkpoint-" in name and not name.startswith(inside)]


def readable(get: Callable[[str, Path], object], name: str, folder: Path) -> bool:
    try:
        return get(name, folder / "copy" / name) is not None
    except StageFailure as failure:
        print(failure.message)
        return False
