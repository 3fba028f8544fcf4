"""The commands of docs/operator.md, as they stand there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ...support.control_plane import ControlPlane
from ...support.kubernetes_programs import find_programs
from ...support.pages import ROOT, fences
from .conftest import Run

PAGE = ROOT / "docs/operator.md"


def test_the_commands_of_the_page_work(plane: ControlPlane, run: Run) -> None:
    run.apply()  # what the page changes is a run of that name, in the namespace of the context
    script = "\n".join(fence.text for fence in fences(PAGE) if fence.language == "sh")
    folders = [str(Path(sys.executable).parent), str(find_programs().kubectl.parent), os.environ["PATH"]]
    done = subprocess.run(
        ["bash", "-euo", "pipefail"],
        input=f"kubectl config set-context --current --namespace {run.namespace}\n{script}",
        env=os.environ | {"PATH": os.pathsep.join(folders), "KUBECONFIG": str(own_kubeconfig(plane, run))},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "clusterrolebinding.rbac.authorization.k8s.io/reflect-operator" in done.stdout


def own_kubeconfig(plane: ControlPlane, run: Run) -> Path:
    """One whose context may be changed."""
    copy = plane.kubeconfig.with_name(f"{run.namespace}.yaml")
    copy.write_bytes(plane.kubeconfig.read_bytes())
    return copy
