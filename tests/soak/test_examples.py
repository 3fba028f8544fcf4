"""The examples with a pretrained model, as their pages say: `make soak ONLY=examples`, some minutes each."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ..support.pages import ROOT, fences

PAGES = [ROOT / f"examples/{name}/README.md" for name in ("function-calling", "reasoning-gym", "smollm2")]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_command_of_the_page_works(page: Path) -> None:
    workdir = ROOT / "build" / page.parent.name
    shutil.rmtree(workdir, ignore_errors=True)
    for fence in fences(page):
        done = subprocess.run(
            ["bash", "-euc", fence.text], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert list((page.parent / "runs").rglob("report/index.html"))
