"""The import contracts hold, and each would notice the import that it is there to prevent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("crds", "operator", "trainer_image")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in PACKAGES:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(checkout: Path) -> subprocess.CompletedProcess[str]:
    """On the copy: PYTHONPATH comes before the editable installation."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(str(checkout / folder) for folder in PACKAGES)}
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=checkout, env=env, text=True, capture_output=True, check=False)


def test_the_contracts_hold(checkout: Path) -> None:
    result = lint_imports(checkout)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("crds/reflection_api/base.py", "import torch"),
        ("crds/reflection_api/base.py", "import reflection_operator.settings"),
        ("operator/reflection_operator/local/runner.py", "import reflection_trainer.errors"),
        ("operator/reflection_operator/local/runner.py", "import transformers"),
        ("operator/reflection_operator/reconcile/decide.py", "import subprocess"),
        ("operator/reflection_operator/kube/api.py", "import reflection_operator.main"),
        ("operator/reflection_operator/main.py", "import reflection_operator.run"),
        ("operator/reflection_operator/local/runner.py", "import reflection_operator.kube.api"),
        ("operator/reflection_operator/children/job.py", "import reflection_operator.local.runner"),
        ("trainer_image/reflection_trainer/errors.py", "import kopf"),
        ("trainer_image/reflection_trainer/errors.py", "import reflection_operator.settings"),
        ("trainer_image/reflection_trainer/storage/store.py", "import reflection_trainer.rollout.stage"),
        ("trainer_image/reflection_trainer/verify/judge.py", "import torch"),
        ("trainer_image/reflection_trainer/rollout/stage.py", "import vllm"),
        ("trainer_image/reflection_trainer/evaluate/stage.py", "import trl"),
    ],
    ids=lambda value: value,
)
def test_a_forbidden_import_is_noticed(checkout: Path, file: str, line: str) -> None:
    path = checkout / file
    path.write_text(
        path.read_text().replace(
            "from __future__ import annotations\n", f"from __future__ import annotations\n{line}\n", 1
        )
    )
    result = lint_imports(checkout)
    assert result.returncode == 1, result.stdout
    assert "BROKEN" in result.stdout
