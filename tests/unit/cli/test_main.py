"""What holds for all commands: quick answers, exit codes, plain words."""

from __future__ import annotations

import fcntl
import inspect
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from reflection_operator.cli.main import COMMANDS, app
from typer import Typer
from typer.testing import CliRunner

from ...support.shell import REFLECT

HEAVY = [
    "torch",
    "transformers",
    "trl",
    "vllm",
    "datasets",
    "kopf",
    "kubernetes",
    "numpy",
    "reflection_trainer",
]
LATER = [*HEAVY, "pydantic", "jsonschema", "jinja2", "yaml", "cel_expr_python", "rich"]
RUNNER = CliRunner()


def test_help_lists_every_command() -> None:
    answer = RUNNER.invoke(app, ["--help"])
    assert answer.exit_code == 0
    for name, line in COMMANDS.items():
        assert f"  {name} " in answer.stdout
        assert line.split()[0] in answer.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_says_what_the_table_says(name: str) -> None:
    module = name.replace("-", "_")
    function = getattr(import_module(f"reflection_operator.cli.{module}"), module)
    text = function.info.help if isinstance(function, Typer) else inspect.getdoc(function)
    assert text.splitlines()[0] == COMMANDS[name]
    answer = RUNNER.invoke(app, [name, "--help"])
    assert answer.exit_code == 0
    assert f"Usage: reflect {name}" in answer.stdout


def test_version() -> None:
    answer = RUNNER.invoke(app, ["--version"])
    assert (answer.exit_code, answer.stdout) == (0, f"reflect {version('reflect-operator')}\n")


EXAMPLE = str(Path(__file__).parents[3] / "examples/countdown/reflectiontraining.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["validat"], "No such command 'validat'. Did you mean 'validate'?"),
        (["crd", "--colour"], "No such option"),
        (["crd", "-o", "xml"], "'xml' is not one of 'text', 'json'"),
        (["validate"], "Missing argument 'FILE"),
        (["validate", "."], ". is a folder; name the files, such as *.yaml"),
        (["validate", "/no/such/file"], "there is no file /no/such/file"),
        (["verify"], "Invalid value for --verifier, --http: give one of them"),
        (
            ["run", EXAMPLE, "--set", "foo"],
            '"foo" is not a setting; write for example spec.training.maxSteps=10',
        ),
        (
            ["render", EXAMPLE, "--set", "foo"],
            '"foo" is not a setting; write for example spec.training.maxSteps=10',
        ),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str], message: str) -> None:
    answer = RUNNER.invoke(app, arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert answer.stdout == ""


def test_nothing_given_shows_the_help() -> None:
    answer = RUNNER.invoke(app, [])
    assert answer.exit_code == 2
    assert "Commands:" in answer.output


def imported(code: str, unwanted: list[str]) -> list[str]:
    script = f"import json, sys\n{code}\nprint(json.dumps([m for m in {unwanted!r} if m in sys.modules]))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def test_help_imports_nothing_it_does_not_need() -> None:
    code = (
        "from reflection_operator.cli.main import app\n"
        "try: app(['--help'], prog_name='reflect')\nexcept SystemExit as end: assert end.code == 0"
    )
    assert imported(code, LATER) == []


@pytest.mark.parametrize(
    "module", ["reflection_api", "reflection_api.resource", "reflection_api.crd", "reflection_api.validation"]
)
def test_the_types_and_the_checks_need_no_model_and_no_cluster(module: str) -> None:
    assert imported(f"import {module}", HEAVY) == []


def test_output_to_a_pipe_is_plain() -> None:
    answer = subprocess.run(
        [*REFLECT, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"TERM": "xterm-256color"},
    )
    assert answer.stdout.isascii()
    assert "\x1b" not in answer.stdout


def unread(pipe: int) -> int:
    """Bytes in the pipe that nobody has read yet."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]


def test_ctrl_c_ends_with_130_and_without_a_traceback() -> None:
    with subprocess.Popen(
        [*REFLECT, "validate", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write("kind: Config")
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while unread(process.stdin.fileno()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not unread(process.stdin.fileno()), "it never read its input"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err) == ("", "")
