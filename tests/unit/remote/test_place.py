"""Which cluster: as kubectl finds it, and what is said where it cannot be found."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from reflection_operator.remote.errors import RemoteError
from reflection_operator.remote.place import Place, Target, find


def kubeconfig(path: Path, *contexts: str, namespace: str | None = None) -> Path:
    """A file with contexts, each of a cluster of its own; the first is the current one."""
    value: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": contexts[0],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example"}} for name in contexts],
        "users": [{"name": name, "user": {"token": "t"}} for name in contexts],
        "contexts": [
            {
                "name": name,
                "context": {"cluster": name, "user": name} | ({"namespace": namespace} if namespace else {}),
            }
            for name in contexts
        ],
    }
    path.write_text(yaml.safe_dump(value))
    return path


def found(*args: Any, **target: Any) -> Place:
    return asyncio.run(find(Target(*args, **target)))


def refused(*args: Any, **target: Any) -> str:
    with pytest.raises(RemoteError) as caught:
        found(*args, **target)
    return str(caught.value)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_file_in_the_home_folder_is_the_last_resort(home: Path) -> None:
    (home / ".kube").mkdir()
    kubeconfig(home / ".kube/config", "home", namespace="ml")
    assert (found().server, found().namespace) == ("https://home.example", "ml")


def test_the_variable_goes_before_it_and_the_option_before_that(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = kubeconfig(home / "a", "one"), kubeconfig(home / "b", "two")
    monkeypatch.setenv("KUBECONFIG", str(first))
    assert found().server == "https://one.example"
    assert found(second).server == "https://two.example"


def test_files_of_the_variable_are_taken_together(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = (home / "missing", kubeconfig(home / "a", "one"), kubeconfig(home / "b", "two"))
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))
    assert found().server == "https://one.example"
    assert found(context="two").server == "https://two.example"


def test_the_option_goes_before_the_namespace_of_the_context(home: Path) -> None:
    file = kubeconfig(home / "a", "one", namespace="ml")
    assert found(file, namespace="other").namespace == "other"
    assert found(kubeconfig(home / "b", "one")).namespace == "default"


def test_a_context_that_there_is_not(home: Path) -> None:
    file = kubeconfig(home / "a", "production", "staging")
    assert refused(file, context="prodution") == (
        f"--context prodution: there is no such context in kubeconfig {file}; did you mean production?"
    )
    assert refused(file, context="x").endswith("there are: production, staging")


def test_no_kubeconfig(home: Path) -> None:
    assert refused() == (
        f"no cluster: there is no kubeconfig {home}/.kube/config; set KUBECONFIG or give --kubeconfig"
    )


@pytest.mark.parametrize(
    "text", ["- a list", "just words", "contexts: [1]", "{", "clusters: 3\ncurrent-context: a", ""]
)
def test_what_is_no_kubeconfig(home: Path, text: str) -> None:
    file = home / "broken"
    file.write_text(text)
    assert str(file) in refused(file)


def test_a_pod_without_a_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert refused().startswith("no cluster: ")
