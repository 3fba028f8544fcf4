"""Commands of kubectl on a page that no cluster of the tests carries out: kubectl itself reads their words."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from ...support.kubernetes_programs import find_programs
from ...support.pages import ROOT, fences

PAGE = ROOT / "docs/troubleshooting.md"
NOBODY = "--server=http://127.0.0.1:1"
"""An API server that refuses the connection: kubectl asks it as soon as it has understood the words."""
RUN = "examples/gitops/runs/countdown.yaml"
COMMANDS = [
    words
    for fence in fences(PAGE)
    if fence.language == "sh"
    for line in fence.text.replace("\\\n", "").splitlines()
    if (words := shlex.split(line)) and words[0] == "kubectl"
]
TEMPLATES = [word for words in COMMANDS for word in words if word.startswith("jsonpath=")]


def kubectl(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = [find_programs().kubectl, *words]
    environment = {"HOME": str(home), "KUBECONFIG": str(home / "none")}
    return subprocess.run(
        command, cwd=ROOT, env=environment, text=True, capture_output=True, check=False, timeout=60
    )


def understood(words: list[str], home: Path) -> bool:
    done = kubectl(NOBODY, *words, home=home)
    assert done.returncode == 1
    return "connection refused" in done.stderr or "was refused" in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_kubectl_understands_the_command(command: list[str], tmp_path: Path) -> None:
    assert understood(command[1:], tmp_path)


@pytest.mark.parametrize(
    "words",
    ["gett rt", "get rt -n ml --outptu wide", "patch rt countdown --type=merg -p {}", "logs --tail x a"],
)
def test_a_misspelt_command_is_noticed(words: str, tmp_path: Path) -> None:
    assert not understood(words.split(), tmp_path)


@pytest.mark.parametrize("template", TEMPLATES)
def test_kubectl_understands_the_template(template: str, tmp_path: Path) -> None:
    done = kubectl("annotate", "--local", "--filename", RUN, "a=b", "--output", template, home=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_wrong_template_is_noticed(tmp_path: Path) -> None:
    wrong = "jsonpath={.spec.storage"
    done = kubectl("annotate", "--local", "--filename", RUN, "a=b", "--output", wrong, home=tmp_path)
    assert done.returncode != 0
