"""A task on which the model is always right, and one on which it never is: an own verdict for each, and no traceback."""

from __future__ import annotations

import json
import os

import pytest

from ...support.screen import on_terminal
from .loop import Loop

GUARD = 600.0

pytestmark = [pytest.mark.slow, pytest.mark.training, pytest.mark.timeout(900)]


def loop_of(folder, pattern):
    """Where the pattern decides, whatever the question is. Canaries would say so, too."""
    prompts = folder / "prompts.jsonl"
    rows = [{"prompt": f"make {n + 5} from 5 {n}", "pattern": pattern} for n in range(2, 10)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Loop(
        folder,
        **{
            "spec.task.verifier.builtin.name": "regex",
            "spec.task.verifier.audit.sample": 0,
            "spec.task.prompts.uri": prompts.as_uri(),
            "spec.evaluation.prompts.uri": prompts.as_uri(),
            "spec.training.maxSteps": 2,
        },
    )


def test_every_answer_right(tmp_path):
    """On a terminal, where each stage has a line with a bar, counts and a rate."""
    loop = loop_of(tmp_path, "[^~]*")
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with on_terminal(loop.command, environment) as screen:
        for words in (
            "rollout",
            "32/32 answers",
            "done in",
            "report",
            "so there is nothing to learn from",
            "Report",
        ):
            screen.wait_for(words, patience=GUARD)
        assert screen.program.wait(GUARD) == 0
    assert not list(loop.run_folder.glob("round-1/train*"))
    assert loop.ended() == ("True", "NoFailures")
    assert loop.file("report/index.html").is_file()


def test_every_answer_wrong(tmp_path):
    loop = loop_of(tmp_path, "~")
    done = loop.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no answer is right: see in the report why" in done.stdout
    assert loop.result()["secondTry"]["trained"] == 0
    assert loop.ended() == ("True", "Completed")
    assert loop.file("report/index.html").is_file()
    assert "Traceback" not in done.stderr
