"""The examples, as their pages say: `make soak ONLY=examples`, some minutes each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ..support.own_verifier import EXAMPLE, own_verifier
from ..support.pages import ROOT, fences
from ..support.shell import in_shell

PAGES = [ROOT / f"examples/{name}/README.md" for name in ("function-calling", "reasoning-gym", "smollm2")]
ADDRESS = "http://127.0.0.1:8080"
COUNTDOWN = ROOT / "examples/countdown/reflectiontraining.yaml"


def sh(words: str, folder: Path) -> str:
    """What the words print, all of which must work."""
    done = in_shell(f"set -eu\n{words}", folder)
    assert done.returncode == 0, done.stdout
    return done.stdout


def anew(name: str) -> Path:
    """A working folder that nothing is in."""
    workdir = ROOT / "build" / name
    shutil.rmtree(workdir, ignore_errors=True)
    return workdir


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_command_of_the_page_works(page: Path) -> None:
    anew(page.parent.name)
    for fence in fences(page):
        sh(fence.text, ROOT)
    assert list((page.parent / "runs").rglob("report/index.html"))


@pytest.mark.timeout(1800)
def test_the_own_verifier_judges_a_whole_run() -> None:
    """The page's command, with a folder to work in and another port for the service, which is started as the page says."""
    [command] = [
        fence.text.strip()
        for fence in fences(EXAMPLE / "README.md")
        if fence.language == "sh" and fence.text.startswith("reflect run ")
    ]
    workdir = anew("own-verifier")
    with own_verifier() as url:
        sh(f"{command} --workdir {workdir} --set spec.task.verifier.http.url={url}", EXAMPLE)
    status = json.loads((workdir / "resource.json").read_text())["status"]
    assert status["phase"] == "Succeeded"
    audit = status["verifier"]["audit"]
    assert audit["sample"] == 200
    assert min(audit["gold"], audit["canaries"]) > 0
    assert audit["flaky"] == audit["goldRefused"] == audit["canariesAccepted"] == 0
    result = json.loads(Path(status["evaluation"]["uri"].removeprefix("file://")).read_text())
    assert result["errorClassesBase"].keys() <= {"correct", "no_sum", "wrong_sum"}
    assert result["fixedFailures"] > 0


@pytest.mark.timeout(3600)
def test_the_countdown_example_meets_its_gates() -> None:
    workdir = anew("countdown")
    sh(f"reflect run {COUNTDOWN} --workdir {workdir} --set spec.storage.uri=file://{workdir}/runs", ROOT)
    assert json.loads((workdir / "resource.json").read_text())["status"]["phase"] == "Succeeded"
    assert list((workdir / "runs").rglob("report/index.html"))


@pytest.mark.parametrize(
    "resource", sorted(ROOT.glob("examples/*/reflectiontraining.yaml")), ids=lambda file: file.parent.name
)
def test_every_example_is_run_here(resource: Path) -> None:
    run = {EXAMPLE, COUNTDOWN.parent, *(page.parent for page in PAGES)}
    assert resource.parent in run
