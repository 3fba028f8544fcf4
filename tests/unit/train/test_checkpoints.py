"""Checkpoints in storage: whole or not there, the newest intact one found, old ones deleted."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.layout import MANIFEST
from reflection_api.manifests import Provenance
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadConfig, DependencyAway
from reflection_trainer.train.checkpoints import Checkpoints, Mover
from reflection_trainer.train.order import WorkOrder
from reflection_trainer.train.tracking.files import TrackingFiles

from .contexts import context

ORIGIN = Provenance(training={"learningRate": 1e-4})
FOLDER = "round-1/train"


@pytest.fixture
def stage(tmp_path):
    return context(tmp_path)


def checkpoints(stage, keep_last=3, origin=ORIGIN):
    return Checkpoints(stage.artifacts, FOLDER, origin, keep_last=keep_last)


def save(stage, step, text="weights", **kwargs):
    local = stage.workdir / "local" / f"checkpoint-{step}"
    (local / "sub").mkdir(parents=True, exist_ok=True)
    (local / "model.safetensors").write_text(f"{text} {step}")
    (local / "sub" / "rng_state_1.pth").write_text("state")
    checkpoints(stage, **kwargs).store(local)
    return local


def stored(stage):
    return sorted({path.split("/")[2] for path in stage.artifacts.store.list(FOLDER)})


def test_without_a_checkpoint_there_is_none(stage, tmp_path):
    assert checkpoints(stage).fetch_newest(tmp_path / "resume") is None


def test_the_newest_is_the_one_of_the_largest_step(stage, tmp_path):
    for step in (9, 10, 100):
        save(stage, step)
    found = checkpoints(stage).fetch_newest(tmp_path / "resume")
    assert found == tmp_path / "resume" / "checkpoint-100"
    assert (found / "model.safetensors").read_text() == "weights 100"
    assert (found / "sub" / "rng_state_1.pth").read_text() == "state"


def test_half_a_checkpoint_does_not_exist(stage, tmp_path):
    save(stage, 10)
    save(stage, 20)
    stage.artifacts.store.delete(f"{FOLDER}/checkpoint-20/{MANIFEST}")
    assert checkpoints(stage).fetch_newest(tmp_path / "resume").name == "checkpoint-10"


@pytest.mark.parametrize("damage", ["changed", "missing", "no manifest's text"])
def test_a_damaged_checkpoint_is_reported_and_passed_over(stage, tmp_path, caplog, damage):
    save(stage, 10)
    save(stage, 20)
    store = stage.artifacts.store
    if damage == "changed":
        store.write(f"{FOLDER}/checkpoint-20/model.safetensors", b"weights 02")
    elif damage == "missing":
        store.delete(f"{FOLDER}/checkpoint-20/sub/rng_state_1.pth")
    else:
        store.write(f"{FOLDER}/checkpoint-20/{MANIFEST}", b"{")
    found = checkpoints(stage).fetch_newest(tmp_path / "resume")
    assert found.name == "checkpoint-10"
    assert "checkpoint of step 20 is skipped" in caplog.text
    assert not (tmp_path / "resume" / "checkpoint-20").exists()


def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(stage, tmp_path):
    save(stage, 10)
    other = checkpoints(stage, origin=Provenance(training={"learningRate": 2e-4}))
    with pytest.raises(BadConfig) as raised:
        other.fetch_newest(tmp_path / "resume")
    assert raised.value.reason is Reason.DATASET_MISMATCH
    assert (
        "checkpoint-10 was made with other settings: training.learningRate: 0.0001, not 0.0002"
        in raised.value.message
    )


@settings(max_examples=25)
@given(keep=st.integers(1, 5), steps=st.lists(st.integers(1, 30), min_size=1, max_size=8, unique=True))
def test_the_last_few_are_kept(tmp_path_factory, keep, steps):
    stage = context(tmp_path_factory.mktemp("run"))
    for step in sorted(steps):
        save(stage, step, keep_last=keep)
    assert stored(stage) == sorted(f"checkpoint-{step}" for step in sorted(steps)[-keep:])


def test_what_dead_attempts_left_half_done_goes_with_the_old_ones(stage):
    save(stage, 10)
    stage.artifacts.store.write(f"{FOLDER}/checkpoint-15/model.safetensors", b"half")
    stage.artifacts.store.write(f"{FOLDER}/checkpoint-25/model.safetensors", b"half")
    stage.artifacts.store.write(f"{FOLDER}/checkpoint-26/{MANIFEST}", b'{"kind":"claim","writer":"dead"}')
    save(stage, 20, keep_last=1)
    assert stored(stage) == ["checkpoint-20"]


def test_an_unfinished_one_does_not_count_as_kept(stage):
    save(stage, 10, keep_last=1)
    stage.artifacts.store.write(f"{FOLDER}/checkpoint-12/{MANIFEST}", b'{"kind":"claim","writer":"dead"}')
    stage.artifacts.store.write(f"{FOLDER}/checkpoint-14/{MANIFEST}", b"{")
    save(stage, 5, keep_last=1)
    assert stored(stage) == ["checkpoint-10", "checkpoint-14"], "a damaged one is left for people to look at"


def test_a_step_that_is_saved_again_holds_only_the_new_files(stage, tmp_path):
    """A run that went on from step 10, because 20 was damaged, comes to step 20 again."""
    save(stage, 20, text="old")
    stage.artifacts.store.write(f"{FOLDER}/checkpoint-20/rng_state_7.pth", b"of a larger world")
    save(stage, 20, text="new")
    found = checkpoints(stage).fetch_newest(tmp_path / "resume")
    assert (found / "model.safetensors").read_text() == "new 20"
    assert not any(path.endswith("rng_state_7.pth") for path in stage.artifacts.store.list(FOLDER))


def test_a_damaged_one_does_not_count_as_kept(stage, tmp_path):
    """Training goes on from 10, and what it saves at 15 must not give way to a 20 that nobody can use."""
    save(stage, 10, keep_last=1)
    save(stage, 20, keep_last=2)
    stage.artifacts.store.write(f"{FOLDER}/checkpoint-20/model.safetensors", b"weights 02")
    found = checkpoints(stage, keep_last=1)
    assert found.fetch_newest(tmp_path / "resume").name == "checkpoint-10"
    found.store(save(stage, 15, keep_last=9))
    assert stored(stage) == ["checkpoint-15", "checkpoint-20"]
    found.store(save(stage, 20, keep_last=9))
    assert stored(stage) == ["checkpoint-20"]


def test_other_things_in_the_folder_are_left_alone(stage):
    stage.artifacts.store.write(f"{FOLDER}/metrics.jsonl", b"{}")
    stage.artifacts.store.write(f"{FOLDER}/model/{MANIFEST}", b"{}")
    stage.artifacts.store.write(f"{FOLDER}/checkpoint-best/model.safetensors", b"mine")
    save(stage, 5, keep_last=1)
    save(stage, 6, keep_last=1)
    assert stored(stage) == ["checkpoint-6", "checkpoint-best", "metrics.jsonl", "model"]


@pytest.fixture
def order(stage):
    made = WorkOrder(
        config=stage.config,
        node=0,
        policy=stage.workdir,
        failures=stage.workdir / "failures.jsonl",
        output=stage.workdir / "output",
        control=stage.workdir / "control",
    )
    made.ready.mkdir(parents=True)
    return made


def tracking(stage, order):
    return TrackingFiles(order.tracking, stage.artifacts.store, f"{FOLDER}/tracking")


def hand_over(order, step):
    folder = order.output / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text("weights")
    (order.ready / folder.name).write_text("")


def test_what_is_handed_over_is_stored_and_gone_from_the_disk(stage, order):
    mover = Mover(order, checkpoints(stage), tracking(stage, order))
    hand_over(order, 5)
    hand_over(order, 10)
    mover.finish()
    assert stored(stage) == ["checkpoint-10", "checkpoint-5"]
    assert list(order.output.iterdir()) == []
    assert list(order.ready.iterdir()) == []


@pytest.mark.parametrize(("own", "expected"), [(0, 10), (15, 15)])
def test_it_goes_behind_the_training_and_asks_for_no_more_than_it_had(stage, order, own, expected):
    """To be less nice than whoever started it takes a privilege."""
    seen = []

    class Noting:
        def store(self, _local):
            seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    def train():
        me = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, me, max(own, os.getpriority(os.PRIO_PROCESS, me)))
        mover = Mover(order, Noting(), tracking(stage, order))
        hand_over(order, 5)
        mover.finish()

    # A thread that is niced stays so, and those that it starts begin with that.
    training = threading.Thread(target=train)
    training.start()
    training.join()
    assert seen == [max(expected, os.getpriority(os.PRIO_PROCESS, 0))]


class Full:
    def store(self, local):
        raise DependencyAway("storage: cannot write: no space left", reason=Reason.STORAGE_FULL)


def test_trackers_files_follow_the_checkpoints_and_all_of_them_the_end(stage, order):
    events, runs = order.tracking / "tensorboard/events", order.tracking / "mlflow/0/meta.yaml"
    for file in (events, runs):
        file.parent.mkdir(parents=True)
        file.write_text("one")
    runs.with_name("latest").symlink_to(runs)
    files = tracking(stage, order)
    files.store_growing()
    folder = f"{FOLDER}/tracking"
    assert list(stage.artifacts.store.list(folder)) == [f"{folder}/tensorboard/events"]
    events.write_text("one, two")
    files.store_growing()
    assert stage.artifacts.store.read(f"{folder}/tensorboard/events") == b"one, two"
    for earlier in ("mlflow/1/meta.yaml", "trackio/runs.db"):
        stage.artifacts.store.write(f"{folder}/{earlier}", b"of an attempt before")
    files.store_all()
    assert list(stage.artifacts.store.list(folder)) == [
        f"{folder}/mlflow/0/meta.yaml",
        f"{folder}/tensorboard/events",
        f"{folder}/trackio/runs.db",
    ], "what was told anew takes the place of what was, and nothing else does"


def test_a_checkpoint_that_cannot_be_stored_ends_the_training(stage, order):
    mover = Mover(order, Full(), tracking(stage, order))
    hand_over(order, 5)
    with pytest.raises(DependencyAway, match="no space left"):
        mover.finish()
    with pytest.raises(DependencyAway, match="no space left"):
        mover.check()
    assert (order.ready / "checkpoint-5").exists(), "the training must not go on as if it were safe"
