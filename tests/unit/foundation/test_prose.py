"""Pages whose commands no other test carries out: every command in them runs, or its words are understood. And every link of
every page leads somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest

from ...support.command_words import UsageError, parse
from ...support.pages import PAGES, ROOT, anchors, fences, label, links

OURS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs/machine.md",
    ROOT / "docs/own-task.md",
    ROOT / "examples/function-calling/README.md",
    ROOT / "examples/own-verifier/README.md",
    ROOT / "examples/paper/README.md",
    ROOT / "examples/reasoning-gym/README.md",
    ROOT / "examples/smollm2/README.md",
]
ELSEWHERE = {
    "docs/install.md": "tests/integration/install/test_page.py",
    "docs/on-a-cluster.md": "tests/integration/operator/test_command_line.py",
    "docs/operator.md": "tests/integration/operator/test_page.py",
    "docs/storage.md": "tests/integration/storage/test_uploads_command.py",
    "docs/troubleshooting.md": "tests/integration/operator/test_troubleshooting.py",
}
"""Pages whose commands another test carries out, all of them."""
UNTESTED = {"docs/training.md"}
"""Says itself that no test runs the command: TensorBoard with a bucket."""
RUN_HERE = ("validate", "render", "--help")
"""What is quick and needs nothing; the words of all else are read by the parser of `reflect`, other tests carry them out."""
OTHERS = {"helm", "kubectl"}
"""What needs a cluster: tests/cluster carries it out."""
READERS_OWN = {"Countdown-Tasks-3to4.parquet", "xlam-function-calling-60k.parquet"}
"""Files that a reader has from elsewhere."""


def commands(page: Path) -> list[list[str]]:
    lines = [
        line
        for fence in fences(page)
        if fence.language == "sh" and not fence.name
        for line in fence.text.replace("\\\n", "").splitlines()
    ]
    return [without_variables(words) for line in lines if (words := shlex.split(line, comments=True))]


def without_variables(words: list[str]) -> list[str]:
    return list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), words))


def of(*programs: str) -> list[Any]:
    """Each command of these programs with its page, for a test of it."""
    return [
        pytest.param(page, command, id=" ".join(command))
        for page in OURS
        for command in commands(page)
        if command[0] in programs
    ]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)


def test_only_known_programs_are_shown() -> None:
    """A command of another program would be one that no test here looks at."""
    shown = {command[0] for page in OURS for command in commands(page)}
    assert shown <= {"make", ".venv/bin/reflect", "reflect", ".venv/bin/python", "python", *OTHERS}
    assert {"make", ".venv/bin/reflect"} <= {command[0] for command in commands(ROOT / "README.md")}


def test_every_page_with_commands_is_some_test_s() -> None:
    pages = [*PAGES, *(ROOT / "examples").rglob("*.md"), *(ROOT / "helm").rglob("*.md")]
    shown = {label(page) for page in pages if commands(page)}
    assert shown <= {*map(label, OURS), *ELSEWHERE, *UNTESTED}
    for page, test in ELSEWHERE.items():
        assert page in (ROOT / test).read_text()


@pytest.mark.parametrize(("page", "command"), of("make"))
def test_make_has_the_target_and_what_it_calls_exists(page: Path, command: list[str]) -> None:
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


@pytest.mark.parametrize(("page", "command"), of(".venv/bin/reflect", "reflect"))
def test_reflect_understands_the_command(
    page: Path, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, *words = command
    if words[0] in RUN_HERE:
        answer = run(str(Path(sys.executable).parent / "reflect"), *words)
        assert answer.returncode == 0, answer.stderr
        return
    monkeypatch.chdir(ROOT if program.startswith(".venv") else with_files(page, words, tmp_path))
    parse(words)


def with_files(page: Path, words: list[str], folder: Path) -> Path:
    """The folder that a reader of the page is in: with the files beside it, those that it shows, and the reader's own."""
    shown = {fence.name: fence.text for fence in fences(page)}
    for word in words:
        if (page.parent / word).is_file():
            (folder / word).write_bytes((page.parent / word).read_bytes())
        elif word in shown:
            (folder / word).write_text(shown[word])
        elif word in READERS_OWN:
            (folder / word).touch()
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "uploads", "uploads s3://team/runs --abrt", "uploads team/runs", "uploads s3://a --older-than soon", "upload s3://a",
        "logs countdown --stage trian", "task cuontdown --out a", "run nowhere.yaml",
    ],
)  # fmt: skip
def test_a_misspelt_command_is_noticed(words: str) -> None:
    with pytest.raises((ValueError, UsageError)):
        parse(words.split())


@pytest.mark.parametrize(("page", "command"), of(".venv/bin/python", "python"))
def test_the_scripts_that_are_shown_exist(page: Path, command: list[str]) -> None:
    folder = ROOT if command[0].startswith(".venv") else page.parent
    assert (folder / command[1]).is_file()


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
