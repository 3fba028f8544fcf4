"""The files that only others can carry out, a container engine and GitHub: looked at by the linters that know them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from ...support.go_tools import go_tool
from ...support.helm import CHART

ROOT = Path(__file__).parents[3]
OURS = (ROOT / "operator/Dockerfile", ROOT / "trainer_image/Dockerfile")
"""Built from the root of the repository."""
DOCKERFILES = (*OURS, ROOT / "examples/own-verifier/Dockerfile")
WORKFLOW = ROOT / ".github/workflows/release.yaml"


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "hadolint", file], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.parent.name)
def test_what_is_copied_exists_and_reaches_the_builder(file: Path) -> None:
    sent = {
        line.removeprefix("!").rstrip("/")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = [
        word.rstrip("/")
        for words in re.findall(r"^COPY (?!--from)(.+)$", file.read_text(), flags=re.MULTILINE)
        for word in words.split()[:-1]
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name in sent, name
    for lock in re.findall(r"requirements/\S+\.lock", file.read_text()):
        assert (ROOT / lock).is_file()


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_no_image_runs_as_root_and_everything_is_checked_by_hash(file: Path) -> None:
    text = file.read_text()
    stages = text.split("\nFROM ")[1:]
    final = [stage for stage in stages if not re.match(r"\S+ AS \S*build\n", stage)]
    assert final
    assert all(re.search(r"^USER [1-9]\d*:[1-9]\d*$", stage, flags=re.MULTILINE) for stage in final)
    for command in re.findall(r"(?:pip install|pip sync)[^&\n]*", text):
        assert "--require-hashes" in command or command.endswith("--no-deps dist/*.whl"), command


@pytest.mark.timeout(600, func_only=False)
def test_the_workflow_is_one() -> None:
    program = go_tool("actionlint", "github.com/rhysd/actionlint/cmd/actionlint")
    done = subprocess.run(
        [program, "-no-color", WORKFLOW], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("owner", ["Team-ML", "team-ml"])
def test_images_and_chart_go_where_a_registry_takes_them(owner: str, tmp_path: Path) -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    (step,) = [step for step in jobs["version"]["steps"] if step.get("id") == "registry"]
    said = tmp_path / "output"
    environment = {"GITHUB_REPOSITORY_OWNER": owner, "GITHUB_OUTPUT": str(said)}
    subprocess.run(["bash", "-e", "-c", step["run"]], env=environment, check=True)
    assert said.read_text() == "registry=ghcr.io/team-ml\n"
    assert jobs["version"]["outputs"]["registry"] == "${{ steps.registry.outputs.registry }}"
    for name in ("images", "chart"):
        assert jobs[name]["env"]["REGISTRY"] == "${{ needs.version.outputs.registry }}"


def test_the_workflow_finds_what_it_looks_for() -> None:
    """The lines that its commands rely on."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text().splitlines()
    chart = (CHART / "Chart.yaml").read_text().splitlines()
    assert {f"version: {version}", f"appVersion: {version}"} <= set(chart)
    assert "imageRegistry: ''" in (CHART / "values.yaml").read_text().splitlines()
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    for image in jobs["images"]["strategy"]["matrix"]["include"]:
        text = (ROOT / image["file"]).read_text()
        assert not image["target"] or f" AS {image['target']}\n" in text
