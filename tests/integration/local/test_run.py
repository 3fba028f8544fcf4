"""The whole loop as a user runs it, with real stages: to the end, again, stopped, killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import defaultdict
from types import SimpleNamespace

import psutil
import pytest
from reflection_operator.local.processes import end_marked, marked
from reflection_trainer.provenance import policy_provenance

from .loop import Loop

GUARD = 600.0
KILLS = 20
STAGES = ("rollout", "verify", "train", "evaluate")
KILLS_OF_A_STAGE = 5
"""At most: then it may end, so that all stages are met within the kills, on a slow machine too."""
FIRST_SHARE = 0.3
"""A stage is killed for the first time within this share of what it takes: before it can end."""
SEED = int(os.environ.get("KILLS_SEED", "20"))


def until(condition, what):
    deadline = time.monotonic() + GUARD
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.timeout(900)
def test_the_loop_ends_with_every_artefact_whole(undisturbed):
    folder = undisturbed.run_folder
    for path in (
        "round-1/verify/manifest.json",
        "round-1/train/model/manifest.json",
        "round-1/evaluate/result.json.manifest.json",
        "report/report.json.manifest.json",
        "report/index.html",
        "report/report.md",
    ):
        assert (folder / path).is_file(), path
    reasons = [event["reason"] for event in undisturbed.events()]
    assert reasons.index("FailuresDatasetWritten") < reasons.index("TrainingStarted")
    assert "AttemptRestarted" not in reasons
    assert {"firstTry", "secondTry", "retrySuccess", "freshTry", "shuffled"} <= undisturbed.result().keys()
    assert "retry after reflection *" in undisturbed.output
    assert "\x1b[" not in undisturbed.output, "colour codes in a pipe"


@pytest.mark.slow
@pytest.mark.training
def test_plain_datasets_and_transformers_read_the_artefacts(undisturbed):
    import datasets
    from transformers import AutoModelForCausalLM, AutoTokenizer

    shards = [str(path) for path in sorted(undisturbed.file("round-1/verify").glob("failures-*.parquet"))]
    failures = datasets.load_dataset(
        "parquet", data_files=shards, split="train", cache_dir=str(undisturbed.workdir / "cache")
    )
    assert {"id", "messages", "completion", "reason", "attempt", "seed", "row"} <= set(failures.column_names)
    assert len(failures) > 0
    model = undisturbed.file("round-1/train/model")
    AutoModelForCausalLM.from_pretrained(model)
    assert AutoTokenizer.from_pretrained(model).chat_template


@pytest.mark.slow
@pytest.mark.training
def test_the_second_call_says_that_all_is_done(undisturbed):
    before = undisturbed.artefacts()
    events = undisturbed.events()
    again = undisturbed.run()
    assert again.returncode == 0
    assert "all is done already" in again.stdout
    assert "retry after reflection *" in again.stdout
    assert undisturbed.artefacts() == before
    assert undisturbed.events() == events


@pytest.mark.slow
@pytest.mark.training
def test_a_changed_field_is_refused_with_the_field_named(undisturbed):
    changed = Loop(undisturbed.workdir.parent, **{"spec.training.maxSteps": 9})
    refused = changed.run()
    assert refused.returncode == 1
    assert "spec.training" in refused.stderr
    assert "cannot change once a run has begun: give another --workdir" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.timeout(900)
def test_ctrl_c_leaves_nothing_running_and_the_same_command_carries_on(tmp_path, undisturbed):
    loop = Loop(tmp_path)
    runner = loop.start(tmp_path / "log")
    try:
        until(
            lambda: list(tmp_path.glob("storage/*/*/round-1/train/checkpoint-*/manifest.json")),
            "a checkpoint",
        )
        runner.send_signal(signal.SIGINT)
        stopped = time.monotonic()
        assert runner.wait(GUARD) == 130
        assert time.monotonic() - stopped < 10
        assert list(marked(loop.mark)) == []
        assert "Traceback" not in (tmp_path / "log").read_text()
        assert "The same command carries on" in (tmp_path / "log").read_text()
        done = loop.run()
        assert done.returncode == 0, done.stdout + done.stderr
        assert [event["reason"] for event in loop.events()].count("FailuresDatasetWritten") == 1
        assert loop.dataset() == undisturbed.dataset()
        assert loop.weights() == undisturbed.weights()
    finally:
        runner.kill()
        runner.wait()
        end_marked(loop.mark)


def kill_one_of_the_stage(loop, rng):
    """A random process of the running stage, the launcher's and its workers' included."""
    found = []

    def some():
        found[:] = sorted(marked(loop.mark), key=lambda process: process.pid)
        return found

    until(some, "a stage that runs")
    rng.choice(found).kill()
    end_within_ten_seconds(found)


def end_within_ten_seconds(processes):
    """One that has ended may wait for its parent, which by then is the machine's first process, to take note of it."""
    _, left = psutil.wait_procs(processes, timeout=10)
    assert [
        process for process in left if name_of(process) and process.status() != psutil.STATUS_ZOMBIE
    ] == []


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.timeout(1800)
def test_killed_at_twenty_random_moments_it_ends_with_the_same_dataset_and_result(tmp_path, undisturbed):
    """The runner, or every sixth time a process of the stage that is running, with SIGKILL. KILLS_SEED gives other moments."""
    print(f"seed {SEED}, {KILLS} kills")
    rng = random.Random(SEED)
    loop = Loop(tmp_path, **{"spec.failurePolicy.maxRestarts": 100})
    log = tmp_path / "log"
    done: dict[str, tuple[int, int]] = {}
    met: defaultdict[str, list[bool]] = defaultdict(list)  # for each kill of a stage, whether it was at work
    runner = loop.start(log)
    try:
        for kill in range(1, KILLS + 1):
            wait_to_kill(loop, runner, met, rng.random(), undisturbed)
            assert runner.poll() is None, f"it ended before kill {kill}:\n{log.read_text()}"
            stage = loop.stage()
            met[stage].append(any(marked(loop.mark)))
            print(f"kill {kill}: {stage or 'before the first stage'}")
            if kill % 6 == 0:
                kill_one_of_the_stage(loop, rng)
                nothing_is_made_again(loop, done)
                continue
            runner.kill()
            runner.wait()
            killed = time.monotonic()
            until(lambda: not list(marked(loop.mark)), "the end of every process")
            assert time.monotonic() - killed < 10
            nothing_is_made_again(loop, done)
            runner = loop.start(log)
        assert runner.wait(GUARD) == 0, log.read_text()
        assert [stage for stage in STAGES if not any(met[stage])] == [], "never killed at work"
        assert done, "nothing was finished before the last kill"
        nothing_is_made_again(loop, done)
        assert len(done) == len(undisturbed.work_done())
        assert loop.dataset() == undisturbed.dataset()
        assert loop.weights() == undisturbed.weights()
        assert loop.result() == undisturbed.result()
        assert loop.artefacts() == undisturbed.artefacts()
    finally:
        runner.kill()
        runner.wait()
        end_marked(loop.mark)


def nothing_is_made_again(loop, done):
    """Every shard that was ever seen finished is the same file still; `done` remembers those that are new, too."""
    now = loop.work_done()
    assert {path: now.get(path) for path in done} == done, "what was finished was made again, or is gone"
    done |= now


def wait_to_kill(loop, runner, met, share, undisturbed):
    """A share of what the whole takes here, on a fast machine and on a slow one: time enough for a stage, not for all.

    A stage that was not killed yet is killed while it is at work. The last stage is killed as soon as it is there: the run must
    not end before the last kill.
    """
    begun = time.monotonic()
    lasted = undisturbed.lasted()
    seen: dict[str, float] = {}

    def now():
        stage = loop.stage()
        if stage == "report" or runner.poll() is not None:
            return True
        if len(met[stage]) >= KILLS_OF_A_STAGE:
            return False
        if any(met[stage]) or not stage:
            return time.monotonic() - begun >= share * undisturbed.seconds / 4
        if stage not in seen and any(marked(loop.mark)):
            seen[stage] = time.monotonic()
        return stage in seen and time.monotonic() - seen[stage] >= share * FIRST_SHARE * lasted[stage]

    until(now, "a moment to kill")


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.timeout(1800)
def test_killed_while_vllm_works_it_leaves_none_of_its_processes_and_carries_on(tmp_path):
    settings = {
        "spec.rollout.engine": "vllm",
        "spec.rollout.workers": 1,
        "spec.rollout.tensorParallelSize": 2,
        "spec.rollout.attemptsPerPrompt": 1,
        "spec.task.prompts.limit": 16,
    }
    loop = Loop(tmp_path, **settings)
    log = tmp_path / "log"
    runner = loop.start(log)
    family: list[psutil.Process] = []

    def vllms_own():
        assert runner.poll() is None, log.read_text()
        family[:] = marked(loop.mark)
        return [process for process in family if name_of(process).startswith("VLLM::")]

    try:
        for who in ("engine's process", "stage", "runner", "runner by Ctrl-C"):
            until(lambda: len(vllms_own()) == 2, f"vLLM's two processes, to kill the {who}")
            if who == "engine's process":  # the stage notices that, and ends in order
                vllms_own()[-1].kill()
                until(lambda: not any(process.is_running() for process in family), "the end of the stage")
            elif who == "stage":
                min(family, key=lambda process: process.create_time()).kill()
                end_within_ten_seconds(family)
            else:
                how = signal.SIGINT if "Ctrl-C" in who else signal.SIGKILL
                runner.send_signal(how)
                assert runner.wait(GUARD) == (130 if how is signal.SIGINT else -how)
                end_within_ten_seconds(family)
                assert list(marked(loop.mark)) == [], who
                runner = loop.start(log)
        until(lambda: loop.stage() == "verify" or runner.poll() is not None, "the end of the rollout")
        assert runner.poll() is None, log.read_text()
        assert [event["reason"] for event in loop.events()].count("AttemptRestarted") == 2
    finally:
        runner.kill()
        runner.wait()
        end_marked(loop.mark)


def name_of(process):
    """What it calls itself; nothing, where it has gone."""
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.timeout(900)
def test_the_second_round_collects_its_failures_with_the_first_rounds_model(tmp_path):
    several = {
        "spec.rollout.workers": 2,
        "spec.training.nodes": 2,
        "spec.training.microBatchSize": 16,
    }
    loop = Loop(tmp_path, **{"spec.rounds": 2, "spec.training.maxSteps": 2} | several)
    done = loop.run()
    assert done.returncode == 0, done.stdout + done.stderr
    provenance = json.loads(loop.file("round-2/verify/manifest.json").read_text())["provenance"]
    assert provenance["model"]["uri"].endswith("/round-1/train/model")
    first = json.loads(loop.file("round-1/verify/manifest.json").read_text())["provenance"]
    assert provenance["model"]["sha256"] != first["model"]["sha256"]
    trained = SimpleNamespace(policy=SimpleNamespace(uri=provenance["model"]["uri"], revision=None))
    expected = policy_provenance(trained, loop.file("round-1/train/model"))["model"]["sha256"]
    assert provenance["model"]["sha256"] == expected, (
        "made with other weights than those that round 1 trained"
    )
    assert loop.file("round-2/train/model/model.safetensors").is_file()
    assert loop.file("round-2/evaluate/result.json").is_file()
    for round_number in (1, 2):
        logs = [path.name for path in (loop.workdir / "logs").iterdir()]
        for stage, what in (("rollout", "worker"), ("train", "node")):
            own = [name for name in logs if f"-r{round_number}-{stage}-1-" in name]
            assert len(own) == 2, f"a process for each {what}"


def test_two_runners_cannot_work_in_one_folder(tmp_path):
    loop = Loop(tmp_path)
    first = loop.start(tmp_path / "log")
    try:
        until(lambda: list(marked(loop.mark)), "the first stage")
        second = loop.run()
        assert second.returncode == 1
        assert f"process {first.pid} is running this already" in second.stderr
        assert psutil.pid_exists(first.pid)
    finally:
        first.kill()
        first.wait()
        end_marked(loop.mark)
