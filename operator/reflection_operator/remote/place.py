"""Which cluster and which namespace: from the kubeconfig, as kubectl finds them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from .errors import RemoteError

_DEFAULT = Path("~/.kube/config")
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_WRONG = (config.ConfigException, OSError, yaml.YAMLError, TypeError, AttributeError, KeyError, ValueError)
"""What the client raises for a kubeconfig that it cannot use."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the command line says of it; None: as the kubeconfig says."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace of a cluster."""

    configuration: Configuration
    namespace: str

    @property
    def server(self) -> str:
        return str(self.configuration.host)


async def find(target: Target) -> Place:
    """The place that a command is about.

    Raises:
        RemoteError: there is none, or the kubeconfig cannot be used.
    """
    files = [file for file in _named(target) if file.exists()]
    if not files:
        return _in_a_pod(target)
    chosen = _context(files, target.context)
    configuration = Configuration()
    try:
        loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
            os.pathsep.join(map(str, files)),
            context=chosen,
            client_configuration=configuration,
            persist_config=False,
        )
        context = loader.current_context["context"]
    except _WRONG as error:
        raise RemoteError(f"{_words(files)} cannot be used: {error}; try `kubectl config view`") from error
    return Place(configuration, target.namespace or context.get("namespace") or "default")


def _named(target: Target) -> list[Path]:
    if target.kubeconfig:
        return [target.kubeconfig]
    named = os.environ.get("KUBECONFIG", "")
    return [Path(name).expanduser() for name in named.split(os.pathsep) if name] or [_DEFAULT.expanduser()]


def _in_a_pod(target: Target) -> Place:
    """A pod without a kubeconfig speaks as its service account."""
    if target.kubeconfig or target.context or "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise RemoteError(
            f"no cluster: there is no {_words(_named(target))}; set KUBECONFIG or give --kubeconfig"
        )
    configuration = Configuration()
    try:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        own = _POD_NAMESPACE.read_text().strip()
    except _WRONG as error:
        raise RemoteError(
            f"no cluster: {error}; give the pod a service account, or set KUBECONFIG"
        ) from error
    return Place(configuration, target.namespace or own)


def _context(files: list[Path], wanted: str | None) -> str:
    """The context to use. Of several files the first that names a current one decides, as for kubectl."""
    contents = [_content(file) for file in files]
    names = sorted({str(each.get("name")) for content in contents for each in _entries(content)})
    context = wanted or next((each for content in contents if (each := content.get("current-context"))), None)
    if context in names:
        return str(context)
    nearest = get_close_matches(context or "", names, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there are: {', '.join(names) or 'none'}"
    if wanted:
        raise RemoteError(f"--context {wanted}: there is no such context in {_words(files)}; {hint}")
    raise RemoteError(f"{_words(files)} has no current context that it describes; give --context; {hint}")


def _content(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RemoteError(f"kubeconfig {file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise RemoteError(f"kubeconfig {file} is no kubeconfig: it holds no mapping")
    return content


def _entries(content: dict[str, Any]) -> list[dict[str, Any]]:
    contexts = content.get("contexts")
    return [each for each in contexts if isinstance(each, dict)] if isinstance(contexts, list) else []


def _words(files: list[Path]) -> str:
    return f"kubeconfig {', '.join(map(str, files))}"
