"""Table of faults: the storage is away, knows other keys, or has lost what it was given."""

from __future__ import annotations

import time

from ..support.cluster import CORE, until
from ..support.nodes.example import BUCKET, rights
from ..support.nodes.gate import Gate
from ..support.nodes.gate_server import ANSWERED, CLOSED, REFUSES, SLOW
from ..support.nodes.s3 import credentials
from ..support.nodes.small_run import EVERY, STAGES, SmallRun
from ..support.s3_server import Key

AWAY_S = 60
MODEL_AND_QUESTIONS = {
    "Effect": "Allow",
    "Action": "s3:GetObject",
    "Resource": f"arn:aws:s3:::{BUCKET}/countdown/*",
}
"""What lies elsewhere in the bucket."""
OLD, NEW = Key("AKIAOLDKEYOFTHETESTS", "soon-to-be-replaced"), Key("AKIANEWKEYOFTHETESTS", "the-one-after")


def test_storage_away_in_every_stage(run: SmallRun, undisturbed: str) -> None:
    """S3 server away for 60 s in every stage"""
    run.start()
    for stage in STAGES:
        run.trains() if stage == "train" else run.stage_process(stage)
        with run.s3.away():
            time.sleep(AWAY_S)
            assert "trying again for up to" in run.log(stage), f"{stage} did not meet it"
    run.ends_well(weights=undisturbed)


def test_storage_stands_still(run: SmallRun, undisturbed: str) -> None:
    """S3 server that takes connections and answers nobody for 60 s in training"""
    run.start()
    run.trains()
    with run.s3.standing_still():
        time.sleep(AWAY_S)
    run.ends_well(weights=undisturbed)


def test_storage_refuses_and_closes(run: SmallRun, gate: Gate, undisturbed: str) -> None:
    """S3 server that closes every other connection and answers 503 to the rest for 60 s in training"""
    run.start({"storage.endpoint": gate.endpoint})
    run.trains()
    with gate.being(REFUSES):
        time.sleep(AWAY_S)
        assert gate.refusals() == {CLOSED, ANSWERED}
    run.ends_well(weights=undisturbed)


def test_storage_slow(run: SmallRun, gate: Gate, undisturbed: str) -> None:
    """S3 server slow all the while (2 MiB/s for a connection, 50 ms for a piece)"""
    with gate.being(SLOW):
        run.start({"storage.endpoint": gate.endpoint})
        run.ends_well(weights=undisturbed)


def test_keys_replaced(run: SmallRun, undisturbed: str) -> None:
    """Keys of the storage replaced in training, and the old ones deleted"""
    run.s3.let_in(BUCKET, OLD, NEW, rights=[*rights("policy.json"), MODEL_AND_QUESTIONS])
    path = f"{CORE}/namespaces/{run.namespace}/secrets/s3"
    run.cluster.patch(path, credentials(OLD))
    run.start()
    run.trains()
    run.cluster.patch(path, credentials(NEW))
    run.s3.lock_out(OLD)
    run.ends_well(weights=undisturbed)
    assert "credentials were refused" in run.log("train")


def test_newest_checkpoint_damaged(run: SmallRun, undisturbed: str) -> None:
    """Training killed, and its newest checkpoint damaged in the storage"""
    run.start()
    run.trains(3 * EVERY)
    run.stage_process("train").kill()
    until(lambda: run.status.get("restarts"), "end of the attempt", patience=60)
    damaged = run.saved()
    weights = run.newest_checkpoint() / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    run.ends_well(restarts=1, counted=1, weights=undisturbed)
    assert f"checkpoint of step {damaged} is skipped" in run.log("train", 2)
    assert run.resumed_from() == damaged - EVERY
