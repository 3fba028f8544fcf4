"""The tests of this folder on a cluster that is there already."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ...support.control_plane import ControlPlane
from ...support.given_control_plane import VARIABLE

ROOT = Path(__file__).parents[3]
HERE = "tests/integration/operator"


def test_they_run_on_it_and_say_what_they_cannot_show(plane: ControlPlane) -> None:
    tests = ("test_run.py::test_a_run_succeeds", "test_command_line.py::test_what_one_may_not_do_is_said",
             "test_crash.py::test_nothing_is_written_when_nothing_happens")  # fmt: skip
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-rs",
            *(f"{HERE}/{name}" for name in tests),
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "CI"}
        | {VARIABLE: str(plane.kubeconfig)},
        text=True,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert f"the audit log of the cluster in {VARIABLE} is not at hand" in run.stdout
    assert "2 passed, 1 skipped" in run.stdout.rstrip().splitlines()[-1]
