"""`reflect run` where it refuses to begin: one sentence with field or option, value and remedy, and exit code 1."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from reflection_operator.cli.main import app
from reflection_operator.local.records import Records
from reflection_operator.local.resource import accept, load
from reflection_operator.local.runner import locked
from typer.testing import CliRunner

from ..local.runs import finished, write_task

RUNNER = CliRunner()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_task(tmp_path)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def refused(*arguments: str | Path) -> str:
    """What `reflect run` says when it ends before a stage has begun."""
    answer = RUNNER.invoke(app, ["run", *map(str, arguments)])
    assert answer.exit_code == 1, answer.output
    assert isinstance(answer.exception, SystemExit)
    assert answer.stdout == ""
    return answer.stderr


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"training": {"method": {"numGenerations": 1}}},
            "spec.training.method.numGenerations: 1 is too small; expected a whole number from 2 to 64",
        ),
        (
            {"training": {"processesPerNode": 3, "failuresPerStep": 4}},
            "spec.training.failuresPerStep: 4 x numGenerations 8 cannot be shared equally by 3 processes (nodes 1): ",
        ),
        ({"trainig": {}}, "spec.trainig: unknown field; did you mean spec.training?"),
    ],
    ids=["numGenerations", "failuresPerStep", "unknown field"],
)
def test_a_spec_that_the_api_server_would_refuse(
    tmp_path: Path, work: Path, spec: dict[str, Any], said: str
) -> None:
    file = write_task(tmp_path, **spec)
    before = sorted(tmp_path.rglob("*"))
    assert said in refused(file, "--workdir", work)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", ["run.yaml", "run.yaml/below", "/proc/nowhere"])
def test_a_working_folder_that_cannot_be(tmp_path: Path, file: Path, place: str) -> None:
    said = refused(file, "--workdir", tmp_path / place)
    assert said.startswith(f"--workdir {tmp_path / place}: cannot write {tmp_path / place}")
    assert said.endswith("; give a folder that can be written, on a disk with room\n")
    assert said.count("\n") == 1


def test_a_working_folder_that_cannot_be_written(file: Path, work: Path) -> None:
    """Root may write everywhere: a folder in the file's place stands for what others may not."""
    (work / "lock").mkdir(parents=True)
    assert refused(file, "--workdir", work).startswith(f"--workdir {work}: cannot write {work}/lock: ")
    (work / "lock").rmdir()
    (work / "resource.json").mkdir()
    assert f"--workdir {work}: resource.json there is not" in refused(file, "--workdir", work)


def test_a_working_folder_in_use(file: Path, work: Path) -> None:
    with locked(Records(work)):
        assert "is running this already" in refused(file, "--workdir", work)


def test_a_lock_that_outlives_a_killed_runner_is_waited_for(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        let_go = threading.Timer(0.5, fcntl.flock, (held, fcntl.LOCK_UN))
        let_go.start()
        with locked(Records(work)):
            assert (work / "lock").read_text() == str(os.getpid())
        let_go.join()


def test_a_working_folder_of_another_run(tmp_path: Path, file: Path, work: Path) -> None:
    accept(load(file, []), Records(work), file)
    other = write_task(tmp_path / "other", name="large")
    assert "belongs to the run default/tiny, and this is default/large" in refused(other, "--workdir", work)


def test_what_has_ended_says_so(file: Path, work: Path) -> None:
    folder = finished(file, Records(work))
    answer = RUNNER.invoke(app, ["run", str(file), "--workdir", str(work)])
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("tiny: all is done already\n")
    assert "retry after reflection" in answer.stdout
    assert str(folder) not in answer.stderr


@pytest.mark.parametrize("gone", [".", "round-1/train/model", "round-1/evaluate/result.json"])
def test_what_has_ended_and_is_gone(file: Path, work: Path, gone: str) -> None:
    place = finished(file, Records(work)) / gone
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    assert refused(file, "--workdir", work) == (
        f"tiny is done, but {place} is gone: put it back, or remove {work} and run the same command again to make it anew\n"
    )


def test_a_run_without_failures_has_no_model_to_miss(file: Path, work: Path) -> None:
    folder = finished(file, Records(work), reason="NoFailures")
    shutil.rmtree(folder / "round-1/train")
    assert RUNNER.invoke(app, ["run", str(file), "--workdir", str(work)]).exit_code == 0
    shutil.rmtree(folder)
    assert f"{folder} is gone" in refused(file, "--workdir", work)
