"""The local stand-in for a cluster, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from reflection_operator.local import cluster as cluster_module
from reflection_operator.local.cluster import LocalCluster
from reflection_operator.local.processes import MARK, Lifeline, end_marked, marked, start
from reflection_operator.local.records import Records
from reflection_operator.reconcile.failure import diagnose
from reflection_operator.reconcile.observed import JobState
from reflection_operator.reconcile.parse import job_from_object, pod_from_object

GUARD = 60.0


def until(condition, what):
    deadline = time.monotonic() + GUARD
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)


def manifests(code, *, completions=1, name="run-00000000-r1-rollout-1"):
    labels = {
        "reflection.training/run-uid": "00000000",
        "reflection.training/round": "1",
        "reflection.training/stage": "rollout",
        "reflection.training/attempt": "1",
    }
    container = {
        "name": "stage",
        "command": ["python", "-c", code],
        "env": [{"name": "REFLECT_CONFIG", "value": "/etc"}],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": "default", "labels": labels, "annotations": {}},
        "spec": {
            "completions": completions,
            "parallelism": completions,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    return [{"kind": "ConfigMap", "data": {"stage.json": "{}"}}, job]


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path)


@pytest.fixture
def cluster(records):
    mark = str(records.workdir)
    yield LocalCluster(records, mark)
    end_marked(mark)


def job_of(cluster):
    (job,) = (job_from_object(item) for item in cluster.job_objects())
    return job


def pods_of(cluster):
    return [pod_from_object(item) for item in cluster.pod_objects()]


def run_to_end(cluster):
    until(lambda: cluster.poll() and job_of(cluster).state is not JobState.ACTIVE, "the end of the job")


def test_every_index_gets_its_own_process_with_the_contract_in_its_environment(cluster, records):
    code = (
        "import os, pathlib;"
        "e = os.environ;"
        "pathlib.Path(e['REFLECT_TERMINATION_LOG']).write_text("
        "  e['JOB_COMPLETION_INDEX'] + pathlib.Path(e['REFLECT_CONFIG']).read_text())"
    )
    cluster.create(manifests(code, completions=3))
    run_to_end(cluster)
    assert job_of(cluster).state is JobState.COMPLETE
    assert [pod.terminated.message for pod in pods_of(cluster)] == ["0{}", "1{}", "2{}"]


def test_what_belongs_to_the_shell_is_left_to_it(cluster, records, monkeypatch):
    """Files of Secrets and the address of a container are a pod's; here the user's own environment says."""
    monkeypatch.setenv("REFLECT_VERIFIER_URL", "http://127.0.0.1:1234")
    names = ("REFLECT_VERIFIER_URL", "REFLECT_VERIFIER_CA", "REFLECT_VERIFIER_TOKEN_FILE")
    code = (
        "import os, pathlib;"
        "e = os.environ;"
        f"pathlib.Path(e['REFLECT_TERMINATION_LOG']).write_text(str([e.get(name) for name in {names}]))"
    )
    made = manifests(code)
    job = next(manifest for manifest in made if manifest["kind"] == "Job")
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": name, "value": "of the pod"} for name in names]
    cluster.create(made)
    run_to_end(cluster)
    [pod] = pods_of(cluster)
    assert pod.terminated.message == "['http://127.0.0.1:1234', None, None]"


def test_the_first_failure_ends_its_siblings(cluster):
    code = (
        "import os, sys, time; sys.exit(65) if os.environ['JOB_COMPLETION_INDEX'] == '0' else time.sleep(600)"
    )
    cluster.create(manifests(code, completions=2))
    run_to_end(cluster)
    assert job_of(cluster).state is JobState.FAILED
    assert [pod.terminated.exit_code for pod in pods_of(cluster)] == [65, 143]


def test_a_signal_is_reported_as_a_container_runtime_does_with_the_end_of_the_log(cluster):
    code = "import os, signal; print('last words', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    cluster.create(manifests(code))
    run_to_end(cluster)
    (pod,) = pods_of(cluster)
    assert pod.terminated.exit_code == 137
    assert pod.terminated.reason == "Error"
    assert "last words" in pod.terminated.message


@pytest.mark.parametrize(
    ("signal_number", "kills", "reason"),
    [("SIGKILL", 1, "OOMKilled"), ("SIGKILL", 0, "Error"), ("SIGTERM", 1, "Error")],
)
def test_a_kill_for_memory_is_told_from_others_by_the_kernels_count(
    cluster, monkeypatch, signal_number, kills, reason
):
    """Memory is not really used up: that would end whatever the kernel finds largest on this machine."""
    count = cluster_module.oom_kills()
    monkeypatch.setattr(cluster_module, "oom_kills", lambda: count)
    cluster.create(manifests(f"import os, signal; os.kill(os.getpid(), signal.{signal_number})"))
    monkeypatch.setattr(cluster_module, "oom_kills", lambda: count + kills)
    run_to_end(cluster)
    (pod,) = pods_of(cluster)
    assert (pod.terminated.exit_code, pod.terminated.reason) == (
        128 + getattr(signal, signal_number), reason,
    )  # fmt: skip
    if reason == "OOMKilled":
        failure = diagnose(job_of(cluster), (pod,))
        assert failure.reason == "OutOfMemory"
        assert "was killed for using too much memory" in failure.message


def test_creating_a_job_twice_starts_it_once(cluster, records):
    code = "print('started', flush=True)"
    cluster.create(manifests(code))
    run_to_end(cluster)
    cluster.create(manifests(code))
    assert not cluster.poll()
    assert records.log("run-00000000-r1-rollout-1", 0).read_text().count("started") == 1


def test_deleting_a_job_ends_its_descendants_even_in_sessions_of_their_own(cluster, records):
    code = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True);"
        "time.sleep(600)"
    )
    cluster.create(manifests(code))
    mark = str(records.workdir)
    until(lambda: len(list(marked(mark))) == 2, "both processes")
    cluster.delete("run-00000000-r1-rollout-1", grace=0.2)
    assert list(marked(mark)) == []
    assert cluster.job_objects() == []


def test_what_an_earlier_runner_left_unfinished_is_ended_and_forgotten(cluster, records):
    cluster.create(manifests("import time; time.sleep(600)"))
    mark = str(records.workdir)
    until(lambda: list(marked(mark)), "the process")
    later = LocalCluster(records, mark)
    later.adopt()
    assert list(marked(mark)) == []
    assert later.job_objects() == []
    cluster.delete("run-00000000-r1-rollout-1", grace=0)


def test_what_an_earlier_runner_saw_finished_is_kept(cluster, records):
    cluster.create(manifests("pass"))
    run_to_end(cluster)
    later = LocalCluster(records, str(records.workdir))
    later.adopt()
    assert job_of(later).state is JobState.COMPLETE


def test_an_interrupt_stops_the_processes_and_leaves_nothing_half_done(cluster, records):
    cluster.create(manifests("import time; time.sleep(600)", completions=2))
    mark = str(records.workdir)
    until(lambda: len(list(marked(mark))) == 2, "both processes")
    cluster.interrupt(grace=5)
    assert list(marked(mark)) == []
    assert cluster.job_objects() == []


@pytest.fixture
def runner(tmp_path):
    """A process with a lifeline and a stage of two processes, which are there when it is handed out."""
    stage = (
        "import subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True);"
        "time.sleep(600)"
    )
    script = f"""
import os, sys, time
from pathlib import Path
from reflection_operator.local.processes import Lifeline, MARK, start
folder = Path({str(tmp_path)!r})
lifeline = Lifeline(str(folder))
start([sys.executable, "-c", {stage!r}], {{**os.environ, MARK: str(folder)}}, folder / "log", folder)
time.sleep(600)
"""
    runner = subprocess.Popen([sys.executable, "-c", script])
    try:
        until(lambda: len(list(marked(str(tmp_path)))) == 2, "the stage and its child")
        yield runner
    finally:
        runner.kill()
        runner.wait()
        end_marked(str(tmp_path))


def test_nothing_of_a_run_outlives_a_runner_that_is_killed(tmp_path, runner):
    """The runner gets SIGKILL: it cannot clean up, its lifeline does."""
    runner.send_signal(signal.SIGKILL)
    killed_at = time.monotonic()
    until(lambda: not list(marked(str(tmp_path))), "the end of every process")
    assert time.monotonic() - killed_at < 10


def test_the_lifeline_of_a_killed_runner_leaves_those_of_the_next_alone(tmp_path, runner):
    """Whoever starts the same command again at once must not lose its first stage."""
    known = psutil.Process(runner.pid).children(recursive=True)
    (lifeline,) = (process for process in known if "reflection_operator.local.lifeline" in process.cmdline())
    later = start(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        {**os.environ, MARK: str(tmp_path)},
        tmp_path / "log",
        tmp_path,
    )
    try:
        runner.send_signal(signal.SIGKILL)
        runner.wait()
        until(lambda: has_ended(lifeline), "the end of the lifeline")
        assert [process.pid for process in marked(str(tmp_path))] == [later.pid]
    finally:
        later.kill()
        later.wait()


def has_ended(process):
    """Also where nobody has taken note of it yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_mark_reaches_only_its_own_processes(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env={**os.environ, MARK: str(tmp_path / "other")},
    )
    try:
        end_marked(str(tmp_path))
        assert psutil.Process(other.pid).is_running()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_the_lifeline_ends_when_it_is_let_go(tmp_path):
    lifeline = Lifeline(str(tmp_path))
    lifeline.release()
    assert lifeline._process.returncode == 0
