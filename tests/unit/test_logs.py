"""What a stage's process writes about itself, by the variable that says how much."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import logging
from reflection_trainer.logs import begin_log
begin_log()
logging.getLogger("reflection_trainer").debug("a detail")
logging.getLogger("reflection_trainer").info("a step")
logging.getLogger("httpx").info("HTTP Request")
"""


@pytest.mark.parametrize(
    ("level", "said", "not_said"),
    [
        (None, ["a step"], ["a detail", "HTTP Request"]),
        ("debug", ["a step", "a detail", "HTTP Request"], []),
        ("WARNING", [], ["a step", "HTTP Request"]),
        (
            "loud",
            ["REFLECT_LOG_LEVEL=loud is no level: use debug, info, warning or error", "a step"],
            ["a detail"],
        ),
    ],
)
def test_as_much_as_the_variable_says(
    level: str | None, said: list[str], not_said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if level:
        monkeypatch.setenv("REFLECT_LOG_LEVEL", level)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    assert all(words in done.stderr for words in said)
    assert not any(words in done.stderr for words in not_said)
