"""What a training step holds in memory does not depend on how many failures there are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from accelerate import PartialState
from reflection_trainer.engines.model import inspect_model
from reflection_trainer.train import session
from reflection_trainer.train.failures import FailureTable, _encoded
from reflection_trainer.train.reflect_retry import Failure

from ...support.held import held
from . import tiny
from .sessions import make_order

pytestmark = [pytest.mark.training, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[3]
BATCHES = 100
PADDING = "x" * 4096
"""In the columns of each failure, which its prompts do not show: 400 MB in 100,000 failures."""

FORGET_THE_PEAK = "5"
"""See proc(5), /proc/pid/clear_refs."""


def write_table(path: Path, batches: int) -> None:
    turns = [
        {"role": "user", "content": "say red"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "wrong"},
    ]
    failure = Failure("0/0", turns, {"answer": "red", "padding": PADDING})
    rows = _encoded([(failure, 100)] * 1000)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        for _ in range(batches):
            writer.write_table(rows)


def measured(folder: Path, model: Path, batches: int) -> dict[str, float]:
    order = make_order(folder, model, maxSteps=8, checkpoint={"everySteps": 100})
    write_table(order.table, batches)
    (folder / "order.json").write_text(order.to_json())
    command = [sys.executable, "-m", f"{__package__}.test_memory", str(folder / "order.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_step_takes_no_more_memory_with_a_thousand_times_the_failures(tmp_path, model):
    few = measured(tmp_path / "few", model, 1)
    many = measured(tmp_path / "many", model, BATCHES)
    assert many["failures"] == BATCHES * few["failures"] == 100_000
    data = BATCHES * 1000 * len(PADDING)
    print(
        *(
            f"{each['failures']} failures: {each['peak'] / 1e6:.1f} MB at most within a step"
            for each in (few, many)
        )
    )
    assert many["arrow"] - few["arrow"] < data / 100
    assert many["peak"] - few["peak"] < data / 20, "two trainings of equal size differ by some 10 MB"


def test_preparing_many_failures_takes_no_more_memory_than_preparing_few(tmp_path, model, monkeypatch):
    rows = session._rows

    def most(count: int) -> int:
        order = make_order(tmp_path / str(count), model)
        with order.failures.open("w") as lines:
            for number, row in enumerate(tiny.failures(count)):
                columns = json.loads(str(row["row"])) | {"padding": PADDING, "number": number}
                lines.write(json.dumps(row | {"row": columns}) + "\n")
        with held() as found:
            monkeypatch.setattr(session, "_rows", lambda file: found.passing(rows(file)))
            prepared = session._prepare_failures(order, PartialState(cpu=True), inspect_model(model, uri="x"))
        assert prepared
        assert prepared.kept == count
        return found.most

    assert most(8000) < 1.3 * most(2000)


def peak() -> int:
    """The most memory of this process since the peak was forgotten, in bytes, but for pages of files.

    Pages of the table that were just read are the system's to take back, and no sign of a dataset that is held.
    """
    status = Path("/proc/self/status").read_text()
    most, files = (
        int(re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)[0]) for name in ("VmHWM", "RssFile")
    )
    return (most - files) * 1024


def main() -> None:
    """Train by the order in the file that the arguments name; print the most memory that a step had."""
    from reflection_trainer.train.order import WorkOrder

    order = WorkOrder.model_validate_json(Path(sys.argv[1]).read_bytes())
    training = session.Session(order, inspect_model(order.policy, uri=f"file://{order.policy}"))
    seen: list[int] = []
    step = training.trainer.training_step

    def watched(*args: object) -> object:
        Path("/proc/self/clear_refs").write_text(FORGET_THE_PEAK)
        result = step(*args)
        seen.append(peak())
        return result

    training.trainer.training_step = watched
    training.trainer.args.save_strategy = "no"
    training.run()
    print(
        json.dumps(
            {
                "failures": len(FailureTable(order.table)),
                "peak": max(seen),
                "arrow": pa.default_memory_pool().max_memory(),
            }
        )
    )


if __name__ == "__main__":
    main()
