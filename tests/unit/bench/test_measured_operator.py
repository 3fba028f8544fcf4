"""To whom a profile of the operator puts its time down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import _measured_operator
import pytest

SCRIPT = """
import json, select
from busy import deep, work
work()
deep.work()
json.loads("[" + ",".join("1" * 500000) + "]")
select.epoll().poll(0.05)
"""
WORK = "def work():\n    for n in range(2_000_000):\n        n * n\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    package = tmp_path / "site/busy"
    package.mkdir(parents=True)
    for name in ("__init__", "deep"):
        (package / f"{name}.py").write_text(WORK)
    return tmp_path / "site"


def test_time_belongs_to_the_package_in_whose_functions_it_was_spent(tmp_path: Path, site: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    profile = tmp_path / "profile"
    subprocess.run(
        [sys.executable, "-m", "cProfile", "-o", profile, tmp_path / "script.py"],
        env=os.environ | {"PYTHONPATH": str(site)},
        check=True,
    )
    shares = _measured_operator.shares_of_packages(profile, site)
    assert next(iter(shares)) == "busy"
    assert "json" in shares
    assert "select" not in shares, "who waits does not work"
    assert 0.9 < sum(shares.values()) < 1.01, "all but what is too small to show"
