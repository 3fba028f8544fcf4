"""The pages that a newcomer reads first: every command in them runs, every link of every page leads somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ...support.pages import PAGES, ROOT, anchors, fences, label, links

OURS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs/machine.md",
    ROOT / "examples/function-calling/README.md",
    ROOT / "examples/reasoning-gym/README.md",
    ROOT / "examples/smollm2/README.md",
]
HEAVY = {"run": 1, "task": 2}
"""Commands of `reflect` that take minutes or write files, with the words of their names: other tests carry them out,
here their words are checked."""
OTHERS = {".venv/bin/python", "helm", "kubectl"}
"""Scripts that take minutes too, carried out by tests/integration/examples, and what needs a cluster, by tests/cluster."""


def commands(page: Path) -> list[list[str]]:
    lines = [
        line
        for fence in fences(page)
        if fence.language == "sh" and not fence.name
        for line in fence.text.replace("\\\n", "").splitlines()
    ]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def of(program: str) -> list[list[str]]:
    return [command for page in OURS for command in commands(page) if command[0] == program]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)


def test_only_known_programs_are_shown() -> None:
    """A command of another program would be one that no test here looks at."""
    shown = {command[0] for page in OURS for command in commands(page)}
    assert shown <= {"make", ".venv/bin/reflect", *OTHERS}
    assert {"make", ".venv/bin/reflect"} <= {command[0] for command in commands(ROOT / "README.md")}


@pytest.mark.parametrize("command", of("make"), ids=" ".join)
def test_make_has_the_target_and_what_it_calls_exists(command: list[str]) -> None:
    dry = run("make", "--dry-run", "--no-print-directory", *command[1:])
    assert dry.returncode == 0, dry.stderr
    called = re.findall(r"\b((?:scripts|examples|bench)/\S+\.(?:py|sh))\b", dry.stdout)
    assert [name for name in called if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("target", "program"), [("demo", "examples/countdown/demo.py"), ("test", "scripts/check.py")]
)
def test_the_two_commands_that_a_newcomer_types(target: str, program: str) -> None:
    """They set the machine up, and then run what tests/integration/examples and continuous integration run."""
    assert ["make", target] in commands(ROOT / "README.md")
    *before, last = run("make", "--dry-run", "--no-print-directory", target).stdout.splitlines()
    assert last == f".venv/bin/python {program}"
    assert any("scripts/set_up.py" in line for line in before)


@pytest.mark.parametrize("command", of(".venv/bin/reflect"), ids=" ".join)
def test_reflect_understands_the_command(command: list[str]) -> None:
    _, *words = command
    reflect = str(Path(sys.executable).parent / "reflect")
    if words[0] in HEAVY:
        options = {word for word in words if word.startswith("--")}
        answer = run(reflect, *words[: HEAVY[words[0]]], "--help")
        assert all(option in answer.stdout for option in options)
        assert all((ROOT / word).exists() for word in words if word.endswith(".yaml"))
    else:
        answer = run(reflect, *words)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("command", of(".venv/bin/python"), ids=" ".join)
def test_the_scripts_that_are_shown_exist(command: list[str]) -> None:
    assert (ROOT / command[1]).is_file()


def test_make_help_names_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    helped = re.findall(r"^  ([a-z-]+) +\S", run("make", "help").stdout, flags=re.MULTILINE)
    assert helped == targets


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "helm/reflect-operator/README.md"], ids=label
)
def test_links_lead_somewhere(page: Path) -> None:
    for file, anchor in links(page):
        assert file.exists()
        assert not anchor or anchor in anchors(file), f"{label(file)} has no heading #{anchor}"


def test_the_machine_page_quotes_the_lock_and_the_set_up() -> None:
    page = (ROOT / "docs/machine.md").read_text()
    packages = len(re.findall(r"^\S+==", (ROOT / "requirements/cpu.lock").read_text(), flags=re.MULTILINE))
    assert f", {packages} packages |" in page
    script = (ROOT / "scripts/set_up.py").read_text()
    for name, words in (("DOWNLOAD_GB", "{} GB, "), ("MIN_GLIBC", "glibc {} or newer")):
        value = re.search(rf"^{name} = \(?([\d., ]+)\)?$", script, flags=re.MULTILINE)
        assert value is not None
        assert words.format(value[1].replace(", ", ".")) in page
