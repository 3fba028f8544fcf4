"""The wheel, alone: what `pip install reflect-operator` gives somebody who only writes and checks YAML."""

from __future__ import annotations

import json
import os
import re
import resource
import runpy
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
PACKAGES = {"reflection_api", "reflection_operator", "reflection_trainer"}
HEAVY = ["torch", "vllm", "transformers", "trl", "datasets", "kopf", "kubernetes", "boto3", "numpy"]


TASK = """\
apiVersion: reflection.training/v1alpha1
kind: ReflectionTraining
metadata: {name: tiny}
spec:
  model: {uri: file://./model}
  task:
    prompts: {uri: file://./train.jsonl}
    verifier: {builtin: {name: countdown}}
  storage: {uri: file://./runs}
"""


def uv(*command: str | Path, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = os.environ | ({"UV_CACHE_DIR": str(cache)} if cache else {})
    return subprocess.run(
        [BIN / "uv", "--offline", "--quiet", *command],
        cwd=ROOT,
        env=env,
        check=False,
        text=True,
        capture_output=True,
    )


def caches() -> list[Path | None]:
    """Where the set-up of .venv may have left the very files that are needed: its own folder, or uv's default."""
    ours = runpy.run_path(str(ROOT / "scripts/set_up.py"))["cache_folder"](dict(os.environ)) / "uv"
    return [ours, None] if ours.is_dir() else [None]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    built = uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    venv = tmp_path_factory.mktemp("base") / "venv"
    assert uv("venv", "--python", sys.executable, venv).returncode == 0
    install = ("pip", "install", "--python", venv / "bin/python", "--no-deps")
    locked = ("--require-hashes", "-r", "requirements/base.lock")
    if all(uv(*install, *locked, cache=cache).returncode != 0 for cache in caches()):
        pytest.skip("the cache folder no longer holds the base packages: remove .venv and run make setup")
    assert uv(*install, wheel).returncode == 0
    return venv / "bin/python"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.parametrize("command", ["reflect", "kubectl-reflect"])
def test_both_commands_answer(command: str, python: Path, tmp_path: Path) -> None:
    answer = run(python.parent / command, "--help", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "validate" in answer.stdout


def processor_seconds(*command: str | Path, cwd: Path) -> float:
    """The least of three runs."""
    durations = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = run(*command, cwd=cwd)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert answer.returncode == 0, answer.stderr
        durations.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(durations)


def test_help_is_quick(python: Path, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Of a processor's time; `make bench ONLY=command_line` tells what a user waits."""
    seconds = processor_seconds(python.parent / "reflect", "--help", cwd=tmp_path)
    record_property("seconds", seconds)
    assert seconds < 1


@pytest.mark.parametrize("module", ["reflection_api", "reflection_operator.cli.main"])
def test_imports_nothing_heavy_even_where_it_is_installed(module: str, python: Path, tmp_path: Path) -> None:
    """In the light environment the import would fail; in the full one a stray import would only be slow."""
    for interpreter in (python, Path(sys.executable)):
        code = f"import json, sys, {module}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
        answer = run(interpreter, "-c", code, cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout) == []


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A resource that nothing is wrong with."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    (tmp_path / "train.jsonl").write_text('{"prompt": "make 6 from 2 3", "nums": [2, 3], "target": 6}\n')
    file = tmp_path / "run.yaml"
    file.write_text(TASK)
    return file


def test_run_says_what_it_needs_before_it_begins(python: Path, task: Path) -> None:
    """Not only when a stage has crashed for want of it, as often as it may be started again."""
    answer = run(python.parent / "reflect", "run", task, cwd=task.parent)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert re.fullmatch(
        r"reflect run needs the extra trainer, of which accelerate, .* and \d+ more are not installed: "
        r"pip install 'reflect-operator\[trainer\]'\n",
        answer.stderr,
    )
    assert not (task.parent / ".reflect").exists()


def test_validate_is_quick(python: Path, task: Path, record_property: Callable[[str, object], None]) -> None:
    """Two to three times what the import of its libraries takes, idle or busy; torch alone takes ten times that."""
    libraries = processor_seconds(python, "-c", "import pydantic.main, jsonschema, yaml", cwd=task.parent)
    seconds = processor_seconds(python.parent / "reflect", "validate", "--local", task, cwd=task.parent)
    record_property("seconds", seconds)
    assert seconds < 5 * libraries


def test_the_crd_needs_no_more_than_the_base(python: Path, tmp_path: Path) -> None:
    answer = run(python.parent / "reflect", "crd", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == (ROOT / "crds/reflectiontrainings.yaml").read_text()


def test_the_operator_says_what_it_needs(python: Path, tmp_path: Path) -> None:
    answer = subprocess.run(
        [python, "-m", "reflection_operator"], cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr == (
        "the operator is not installed with it: pip install 'reflect-operator[operator]'\n"
    )


def test_what_the_report_needs_besides_is_named(python: Path, tmp_path: Path) -> None:
    answer = run(python.parent / "reflect", "report", tmp_path, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert re.fullmatch(
        r"reflect report needs the extra trainer, of which accelerate, .*: pip install 'reflect-operator\[trainer\]'\n",
        answer.stderr,
    )
    assert list(tmp_path.iterdir()) == []


def test_the_page_of_the_report_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist() if "/report/page/" in name}
    assert names == {file.name for file in (ROOT / "trainer_image/reflection_trainer/report/page").iterdir()}
