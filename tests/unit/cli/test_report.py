"""`reflect report` starts the trainer's command and passes its words and its outcome on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from .test_verify import REFLECT


def report(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*REFLECT, "report", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("place", "words"),
    [(".", "no run has stored anything"), ("--absent", "--absent: there is no such folder")],
)
def test_a_place_without_a_run_is_a_wrong_command_line(tmp_path: Path, place: str, words: str) -> None:
    answer = report("--", place, cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    run = tmp_path / "default/tiny-01234567/round-1/rollout"
    run.mkdir(parents=True)
    (run / "attempts-00000-of-00001.parquet").write_bytes(b"")
    answer = report(".", "-o", "absent/page.html", cwd=tmp_path)
    assert answer.returncode == 1
    wrong = report(".", "-o", "report.json", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "report.json: the page goes there, and the numbers beside it: name an .html file" in wrong.stderr
    assert "absent/page.html: No such file or directory" in answer.stderr
    answer = report(".", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "report.html\n"), answer.stderr
    assert "Not known" in (tmp_path / "report.html").read_text()
    assert "Not known" in (tmp_path / "report.md").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["name"] == "tiny"
