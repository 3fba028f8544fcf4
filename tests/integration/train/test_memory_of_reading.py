"""The dataset of failures is streamed: to read and prepare it takes as much memory, however many failures there are."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from reflection_api.contract import StageConfig
from reflection_api.manifests import Provenance
from reflection_api.stages import Stage
from reflection_trainer.context import StageContext
from reflection_trainer.storage import Artifacts, open_store

from . import tiny

pytestmark = [pytest.mark.training, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[3]
SHARD, SHARDS = 200, 40
PADDING = 8000
"""Bytes in the columns of each failure: 64 MB in all shards."""


def rows(shard: int) -> Iterator[dict[str, object]]:
    """Nothing that Parquet could make small."""
    rng = random.Random(shard)
    for row in tiny.failures(SHARD):
        columns = json.loads(str(row["row"])) | {"padding": rng.randbytes(PADDING // 2).hex()}
        yield row | {"id": f"{shard:04d}/{row['id']}", "row": json.dumps(columns)}


def measured(folder: Path, model: Path, shards: int) -> dict[str, int]:
    """What a process says that reads and prepares so many shards."""
    config = tiny.config(model, folder / "storage")
    folder.mkdir()
    tiny.store_shards(context(config, folder), model, [rows(shard) for shard in range(shards)])
    (folder / "config.json").write_text(config.to_json())
    command = [sys.executable, "-m", f"{__package__}.{Path(__file__).stem}", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def context(config: StageConfig, folder: Path) -> StageContext:
    return StageContext(config, Artifacts(open_store(config.run_uri)), folder, 0)


def test_reading_takes_no_more_memory_with_forty_times_the_failures(tmp_path, model):
    few, many = (measured(tmp_path / str(shards), model, shards) for shards in (1, SHARDS))
    assert many["failures"] == SHARDS * few["failures"] == SHARDS * SHARD
    data = SHARDS * SHARD * PADDING
    assert many["peak"] - few["peak"] < data / 5, "the noise of two processes is some MB"


def main() -> None:
    """Read and prepare the failures as a training does before its first step; print the most memory that there was."""
    from accelerate import PartialState
    from reflection_trainer.engines.model import inspect_model
    from reflection_trainer.train import session
    from reflection_trainer.train.checkpoints import Checkpoints
    from reflection_trainer.train.stage import TrainStage

    folder = Path(sys.argv[1])
    found = context(StageConfig.model_validate_json((folder / "config.json").read_bytes()), folder)
    model = Path(found.config.policy.uri.removeprefix("file://"))
    checkpoints = Checkpoints(found.artifacts, found.path(Stage.TRAIN), Provenance(), keep_last=1)
    order = TrainStage(found)._order(model, checkpoints)
    prepared = session._prepare_failures(
        order, PartialState(cpu=True), inspect_model(model, uri=model.as_uri())
    )
    assert prepared is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"failures": prepared.kept, "peak": peak}))


if __name__ == "__main__":
    main()
