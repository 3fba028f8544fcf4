"""Every session that a page shows can be repeated, to the letter."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from ...support.pages import PAGES, fences, label
from .sessions import Command, commands, matches, play, steady

WITH_SESSIONS = [page for page in PAGES if any(fence.language == "console" for fence in fences(page))]


@pytest.mark.parametrize("page", WITH_SESSIONS, ids=label)
def test_the_sessions_of_a_page_print_what_it_says(page: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # a short path: messages shorten long values
        for command, printed in play(page, Path(folder)):
            assert matches(command.output, printed), "\n".join(
                [f"$ {command.words}", *map(steady, printed), "", "where the page says:", *command.output]
            )


def test_the_guides_have_sessions() -> None:
    assert {"docs/run-locally.md", "docs/own-task.md"} <= set(map(label, WITH_SESSIONS))


def test_a_session_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```text name.txt\nBob\n```\n\n```console\n$ echo Hello $(cat name.txt)\nHello Alice\n$ false\n```\n"
    )
    (greeting, said), (nothing, silence) = play(page, tmp_path)
    assert said == ["Hello Bob"]
    assert not matches(greeting.output, said)
    assert matches(nothing.output, silence)


def test_commands_over_several_lines_stay_together() -> None:
    assert list(commands("$ echo a \\\n    b\na b\n$ true\n")) == [
        Command("echo a \\\n    b", ["a b"]),
        Command("true", []),
    ]


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (["at 10:11:12"], ["at 01:02:03"], True),
        (["a", "...", "z"], ["a", "b", "c", "z"], True),
        (["a", "...", "z"], ["a", "b", "c"], False),
        (["..."], ["a", "b"], True),
        (["a", "...", "z"], ["a", "z"], True),
        (["a ... z"], ["a b c z"], True),
        (["a ... z"], ["a b", "c z"], False),
        (["a"], ["a", "b"], False),
        (["1.5"], ["105"], False),
    ],
)
def test_what_counts_as_the_same(expected: list[str], printed: list[str], same: bool) -> None:
    assert matches(expected, printed) is same
