"""The commands for runs on a cluster, where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from reflection_operator.cli.main import app
from typer.testing import CliRunner

COMMANDS = ("status", "logs", "events", "suspend", "resume")


@pytest.fixture(autouse=True)
def no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_kubeconfig_a_sentence_says_so(command: str) -> None:
    result = CliRunner().invoke(app, [command, "countdown"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("no cluster: there is no kubeconfig ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("words", [[], ["../secrets"], ["a", "-n", "b/c"], ["UPPER"]])
def test_a_wrong_command_line(command: str, words: list[str]) -> None:
    assert CliRunner().invoke(app, [command, *words]).exit_code == 2


@pytest.mark.parametrize("command", ["status", "events"])
def test_following_is_for_people(command: str) -> None:
    result = CliRunner().invoke(app, [command, "a", "--watch", "-o", "json"])
    assert result.exit_code == 2
    assert "prints one document" in " ".join(result.stderr.split())


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from reflection_operator.local import installed

    monkeypatch.setattr(installed, "_is_installed", lambda name: name != "kubernetes")
    result = CliRunner().invoke(app, ["status", "countdown"])
    assert result.exit_code == 1
    assert "reflect status needs the extra operator, of which kubernetes is not installed" in result.stderr
