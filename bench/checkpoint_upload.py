"""What storing a checkpoint costs: its upload beside boto3's own, and what a training that goes on meanwhile loses.

    make bench ONLY=checkpoint_upload       minutes on two cores; needs Go for the S3 server

The upload: a folder as large as a checkpoint goes to a real S3 server, by ours (hashed, verified, published with a manifest)
and by boto3's own transfer in parts with its defaults; the two take turns, each of them first in every other round: what one
has written to the server's disk is still being written while the next begins. The training: the example's, with checkpoints
that another process stores meanwhile as in a pod, and without any; these take turns too. The example's checkpoint is small, so
every save writes a file of random bytes beside it, and a checkpoint goes up in parts as that of a larger model would.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from _intervals import summary
from _records import ROOT, metric, write
from accelerate import PartialState
from reflection_api.manifests import Provenance
from reflection_api.spec import StorageSpec
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.train.order import WorkOrder
from reflection_trainer.train.session import Session
from train_step import in_turn, ours, prepared
from transformers import TrainerCallback
from transformers.utils.logging import disable_progress_bar

sys.path.insert(0, str(ROOT))

from tests.support.s3_server import ROOT as KEY
from tests.support.s3_server import S3Server

AIM = 0.9
AIM_STALLED = 0.02
MEGABYTE = 1_000_000
BALLAST = 40 * MEGABYTE
"""Bytes beside the example's own checkpoint of 8 MB: three parts of an upload."""
SHARES = {"optimizer.pt": 0.66, "model.safetensors": 0.33, "trainer_state.json": 0.01}
"""Files of a checkpoint, by their part of its size: AdamW keeps two numbers for each weight."""


def main() -> int:
    """Measure, write build/bench/checkpoint_upload.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=512, help="size of the folder (default 512)")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of each kind (default 8)")
    parser.add_argument("--steps", type=int, default=100, help="steps of a training (default 100)")
    parser.add_argument("--every", type=int, default=25, help="steps between checkpoints (default 25)")
    arguments = parser.parse_args()
    disable_progress_bar()
    PartialState(cpu=True)
    os.environ |= KEY.environment
    with tempfile.TemporaryDirectory() as name, S3Server(Path(name, "s3")) as server:
        folder = Path(name)
        os.environ["REFLECT_PROGRESS"] = str(folder / "progress.json")
        uploads = measure_uploads(folder, server, arguments.megabytes, arguments.rounds)
        steps = measure_training(folder, server, arguments.steps, arguments.every, arguments.rounds)
    ratios = [mine / boto for mine, boto in zip(uploads["ours"], uploads["boto3"], strict=True)]
    stalled = [1 - none / stored for stored, none in zip(steps["stored"], steps["none"], strict=True)]
    spread = summary(stalled)
    metrics = [
        metric("upload against boto3's own", statistics.median(ratios), "ratio", ">=", AIM),
        metric("step time stalled, mean", spread["mean"], "fraction", "<", AIM_STALLED),
        metric(
            "step time stalled, high end of its 95% interval",
            spread["interval"][1],
            "fraction",
            "<",
            AIM_STALLED,
        ),
    ]
    details = {
        "megabytes": arguments.megabytes,
        "megabytesPerSecond": uploads,
        "ratios": summary(ratios) | {"values": ratios},
        "steps": arguments.steps,
        "every": arguments.every,
        "secondsPerStep": steps,
        "ballastMegabytes": BALLAST / MEGABYTE,
        "stalled": spread | {"values": stalled},
    }
    write("checkpoint_upload", metrics, details)
    return 0


def measure_uploads(folder: Path, server: S3Server, megabytes: int, rounds: int) -> dict[str, list[float]]:
    """Megabytes per second of every round, by who uploads."""
    local = folder / "checkpoint-1"
    local.mkdir()
    for name, share in SHARES.items():
        (local / name).write_bytes(os.urandom(int(megabytes * MEGABYTE * share)))
    size = sum(file.stat().st_size for file in local.iterdir()) / MEGABYTE
    bucket, client = server.new_bucket(), server.client()
    artifacts = stored_in(server, bucket)
    found: dict[str, list[float]] = {"ours": [], "boto3": []}

    def by_ours(number: int) -> None:
        artifacts.put_folder(local, f"ours-{number}", kind="checkpoint", provenance=Provenance())

    def by_boto3(number: int) -> None:
        for file in sorted(local.iterdir()):
            client.upload_file(str(file), bucket, f"boto3-{number}/{file.name}")

    ways = {"ours": by_ours, "boto3": by_boto3}
    for number in range(rounds + 1):  # the first warms up
        for kind in in_turn(ways, number):
            started = time.perf_counter()
            ways[kind](number)
            if number:
                found[kind].append(size / (time.perf_counter() - started))
        artifacts.delete_folder(f"ours-{number}")
        for name in SHARES:
            client.delete_object(Bucket=bucket, Key=f"boto3-{number}/{name}")
    return found


def measure_training(
    folder: Path, server: S3Server, steps: int, every: int, rounds: int
) -> dict[str, list[float]]:
    """Seconds per step of every round, saving included, with checkpoints stored and without any."""
    bucket = server.new_bucket()

    def stored(number: int) -> float:
        order, model = prepared(
            folder / f"stored-{number}", steps, f"spec.training.checkpoint.everySteps={every}"
        )
        with moving(order, server.endpoint, bucket, f"round-{number}"):
            return seconds_per_step(with_ballast(Session(order, model)))

    def none(number: int) -> float:
        order, model = prepared(folder / f"none-{number}", steps)
        return seconds_per_step(without_checkpoints(Session(order, model)))

    ways = {"stored": stored, "none": none}
    found: dict[str, list[float]] = {kind: [] for kind in ways}
    for number in range(rounds):
        for kind in in_turn(ways, number):
            found[kind].append(ways[kind](number))
    return found


class Ballast(TrainerCallback):
    """Makes every checkpoint as large as that of a larger model; writing it is part of the save."""

    def __init__(self) -> None:
        self._bytes = os.urandom(BALLAST)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        Path(args.output_dir, f"checkpoint-{state.global_step}", "ballast.bin").write_bytes(self._bytes)


def with_ballast(session: Session) -> Session:
    """A session whose checkpoints are large."""
    # Before all others: one of them says that the checkpoint is complete.
    session.trainer.callback_handler.callbacks.insert(0, Ballast())
    return session


def without_checkpoints(session: Session) -> Session:
    """A session that saves nothing, not even at its end."""
    session.trainer.args.save_strategy = "no"  # type: ignore[assignment]
    return session


def seconds_per_step(session: Session) -> float:
    """The mean step, from the beginning of the first to that of the last: saving falls between two steps."""
    _, clock = ours(session)
    return (clock.wall[-1] - clock.wall[0]) / (len(clock.wall) - 1)


@contextmanager
def moving(order: WorkOrder, endpoint: str, bucket: str, folder: str) -> Iterator[None]:
    """A process beside the training stores its checkpoints: bench/_mover.py."""
    file = order.control / "order.json"
    file.write_text(order.to_json())
    command = [sys.executable, str(ROOT / "bench/_mover.py"), str(file), endpoint, bucket, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    if process.returncode:
        sys.exit("checkpoints were not stored: nothing was measured")


def stored_in(server: S3Server, bucket: str) -> Artifacts:
    """Artefacts in a bucket."""
    storage: Any = StorageSpec(uri=f"s3://{bucket}/runs", endpoint=server.endpoint)
    return Artifacts(open_store(storage.uri, storage))


if __name__ == "__main__":
    sys.exit(main())
