"""The operator's command line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError
from pydantic_settings import CliApp
from reflection_operator.__main__ import RbacOptions
from reflection_operator.kube.options import Options

from ...support.pages import ROOT


def options(*words: str) -> Options:
    return CliApp.run(Options, cli_args=list(words))


def test_defaults_are_those_of_every_controller() -> None:
    found = options()
    assert (found.lease_times.duration, found.lease_times.deadline, found.lease_times.retry) == (15, 10, 2)
    assert found.places == (None,)
    assert found.lease_namespace == "default"
    assert found.identity != options().identity


def test_flags_go_before_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFLECT_NAMESPACES", "a, b")
    monkeypatch.setenv("REFLECT_GPU_RESOURCE", "amd.com/gpu")
    found = options("--gpu-resource", "example.com/gpu", "--no-leader-election")
    assert found.places == ("a", "b")
    assert found.gpu_resource == "example.com/gpu"
    assert found.leader_election is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--workers", "0"), "greater than or equal to 1"),
        (("--namespaces", "Team_A"), "match pattern"),
        (("--lease-retry-seconds", "9"), "more than twice lease_retry_seconds (9)"),
        (("--log-format", "xml"), "'text' or 'json'"),
    ],
)
def test_bad_values_are_refused(words: tuple[str, str], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        options(*words)
    assert message in str(caught.value)


def program(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reflection_operator", *words]
    return subprocess.run(
        command, text=True, capture_output=True, check=False, env=os.environ | {"COLUMNS": "120"}
    )


def test_help_names_every_option() -> None:
    answer = program("--help")
    assert answer.returncode == 0
    for name in Options.model_fields:
        assert f"--{name.replace('_', '-')}" in answer.stdout, name


def test_a_wrong_value_gets_a_sentence() -> None:
    answer = program("--health-port", "70000")
    assert answer.returncode == 2
    assert answer.stderr == (
        "python -m reflection_operator: --health-port: Input should be less than or equal to 65535\n"
    )


def test_the_page_names_what_only_rbac_takes() -> None:
    page = (ROOT / "docs/operator.md").read_text()
    only = RbacOptions.model_fields.keys() - Options.model_fields.keys()
    assert [name for name in only if f"`--{name.replace('_', '-')}`" not in page] == []


def test_rbac_prints_manifests() -> None:
    answer = program("rbac", "--namespaces", "ml", "--lease-namespace", "ops", "--service-account", "me")
    assert answer.returncode == 0
    objects = list(yaml.safe_load_all(answer.stdout))
    assert [each["kind"] for each in objects] == ["Role", "RoleBinding", "Role", "RoleBinding"]
    assert objects[1]["subjects"] == [{"kind": "ServiceAccount", "name": "me", "namespace": "ops"}]
