"""The verifier `code` in a pod under the restricted Pod Security Standard: it judges, and locks in, as it does on a laptop."""

from __future__ import annotations

import json

from ..support.nodes.small_run import SmallRun

TESTS = "assert add(1, 2) == 3"
ADDS = "def add(a, b): return a + b"
PROGRAMS = {
    "right": ADDS,
    "wrong": "def add(a, b): return a - b",
    "reads a file": f"open('/etc/passwd')\n{ADDS}",
    "starts a process": f"import posix\nposix.fork()\n{ADDS}",
    "asks for the environment": f"import posix\nposix.environ[b'PATH']\n{ADDS}",
    "never ends": "while True: pass",
}


def test_code_is_judged_in_a_pod_as_on_a_laptop(run: SmallRun) -> None:
    """Within a training pod of a run, as its verifier would"""
    run.start()
    pod = run.pod("train")
    container = pod["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    python = container["command"][0]
    items = "".join(
        json.dumps({"id": name, "completion": text, "row": {"tests": TESTS}}) + "\n"
        for name, text in PROGRAMS.items()
    )
    words = ("exec", "--namespace", run.namespace, "--stdin", pod["metadata"]["name"], "--")
    done = run.cluster.kubectl(
        *words, python, "-m", "reflection_trainer.verify", "--verifier", "code", stdin=items
    )
    assert done.returncode == 0, done.stderr
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    found = {verdict["id"]: verdict["reason"] for verdict in verdicts}
    assert found.keys() == PROGRAMS.keys()
    assert (found.pop("right"), found.pop("wrong"), found.pop("never ends")) == (
        "correct",
        "wrong_answer",
        "timeout",
    )
    assert "correct" not in found.values()
    run.ends_well()
