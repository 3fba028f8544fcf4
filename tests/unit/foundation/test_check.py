"""`make test`'s own logic: no check hides another, and one failure fails the whole."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", ROOT / "scripts/check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def passing() -> bool:
    """Passes."""
    return True


def failing() -> bool:
    """Fails."""
    return False


def test_a_failed_check_does_not_hide_the_next(script, monkeypatch, capsys) -> None:
    monkeypatch.setattr(script, "CHECKS", {"a": passing, "b": failing, "c": passing})
    assert script.main([]) == 1
    said = capsys.readouterr().out
    assert "== b: FAILED" in said
    assert "== c: ok" in said
    assert said.endswith("failed: b\n")


def test_only_the_named_checks_run(script, monkeypatch, capsys) -> None:
    monkeypatch.setattr(script, "CHECKS", {"a": passing, "b": failing})
    assert script.main(["a"]) == 0
    assert "b:" not in capsys.readouterr().out


def test_an_unknown_name_is_refused_before_anything_runs(script, monkeypatch, capsys) -> None:
    monkeypatch.setattr(script, "CHECKS", {"a": passing})
    assert script.main(["a", "tpyes"]) == 2
    answer = capsys.readouterr()
    assert answer.out == ""
    assert answer.err == "unknown check tpyes; there are a\n"


def test_the_tests_come_last(script) -> None:
    assert list(script.CHECKS)[-1] == "tests"


def test_a_crd_that_drifted_is_shown(script, monkeypatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "BIN", tmp_path)
    monkeypatch.setattr(script, "CRD", tmp_path / "crd.yaml")
    (tmp_path / "reflect").write_text("#!/bin/sh\necho 'name: new'\n")
    (tmp_path / "reflect").chmod(0o755)
    (tmp_path / "crd.yaml").write_text("name: old\n")
    assert not script.crd()
    said = capsys.readouterr().out
    assert "-name: old\n+name: new\n" in said
    assert "run `make crd` and commit it" in said
    (tmp_path / "crd.yaml").write_text("name: new\n")
    assert script.crd()


@pytest.mark.parametrize(
    ("check", "file", "text"),
    [
        ("lint", "crds/reflection_api/bad.py", '"""A module."""\n\nimport os\n'),
        ("format", "crds/reflection_api/bad.py", '"""A module."""\n\nx = {  "a":1 }\n'),
    ],
)
def test_ruff_reads_the_project_s_rules(check: str, file: str, text: str) -> None:
    """On the text alone, under the path that it would have: nothing is written into the checkout."""
    verb = ["check", "--quiet", "-"] if check == "lint" else ["format", "--quiet", "--check", "-"]
    command = [Path(sys.executable).parent / "ruff", *verb, "--stdin-filename", file]
    assert (
        subprocess.run(command, cwd=ROOT, input=text, text=True, capture_output=True, check=False).returncode
        == 1
    )
