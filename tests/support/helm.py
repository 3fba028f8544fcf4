"""Helm itself, with this project's chart."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .go_tools import go_tool

CHART = Path(__file__).parents[2] / "helm/reflect-operator"
PACKAGE = "helm.sh/helm/v4/cmd/helm"
PREVIOUS = "0.0.9"
"""Version of `previous_chart`, and of its image."""
_LIMIT_S = 120
Obj = dict[str, Any]


class Helm:
    """Helm of one user, whose settings and caches lie in a folder."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None) -> None:
        self.program = go_tool("helm", PACKAGE)
        self.environment = os.environ | {
            f"HELM_{kind}_HOME": str(folder / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")
        }
        self.environment["KUBECONFIG"] = str(kubeconfig or "/nowhere")

    def shell(self, kubectl: Path, folder: Path) -> dict[str, str]:
        """The environment of this user in a shell, where `helm` and `kubectl` are programs in a folder that is made."""
        folder.mkdir()
        (folder / "helm").symlink_to(self.program)
        (folder / "kubectl").symlink_to(kubectl)
        return self.environment | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    def run(
        self, *words: str | Path, values: Mapping[str, Any] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it; values as in a file that is given with `-f`."""
        given = () if values is None else ("-f", "-")
        return subprocess.run(
            [str(self.program), *map(str, words), *given],
            env=self.environment,
            input="" if values is None else yaml.safe_dump(dict(values)),
            text=True,
            capture_output=True,
            check=False,
            timeout=_LIMIT_S,
        )

    def did(self, *words: str | Path, values: Mapping[str, Any] | None = None) -> str:
        """Run it; what it says, after success."""
        done = self.run(*words, values=values)
        assert done.returncode == 0, f"helm {' '.join(map(str, words))}: {done.stderr}"
        return done.stdout

    def render(self, values: Mapping[str, Any] | None = None, *, name: str = "reflect-operator") -> list[Obj]:
        """The objects of a release in the namespace `ops`."""
        text = self.did("template", name, CHART, "--namespace", "ops", values=values or {})
        return [obj for obj in yaml.safe_load_all(text) if obj]


def of_kind(objects: list[Obj], kind: str) -> list[Obj]:
    return [obj for obj in objects if obj["kind"] == kind]


def one(objects: list[Obj], kind: str) -> Obj:
    """The only object of a kind."""
    (found,) = of_kind(objects, kind)
    return found


def container(objects: list[Obj]) -> Obj:
    """The operator's container."""
    (found,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(objects: list[Obj]) -> dict[str, str]:
    """The operator's variables, as a new pod of it has them."""
    pod = {"metadata.name": f"reflect-operator-{secrets.token_hex(3)}"}
    return {
        each["name"]: each["value"] if "value" in each else pod[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in container(objects)["env"]
    }


def previous_chart(folder: Path) -> Path:
    """The chart as an older version could have been: another Deployment, and a CRD that lacks something."""
    chart = folder / CHART.name
    shutil.copytree(CHART, chart)
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(
        yaml.safe_dump(described | {"version": PREVIOUS, "appVersion": PREVIOUS})
    )
    deployment = chart / "templates/deployment.yaml"
    lines = deployment.read_text().splitlines(keepends=True)
    deployment.write_text("".join(line for line in lines if "--gpu-resource=" not in line))
    crd = yaml.safe_load((chart / "files/crd.yaml").read_text())
    for version in crd["spec"]["versions"]:
        del version["additionalPrinterColumns"]
    (chart / "files/crd.yaml").write_text(yaml.safe_dump(crd))
    return chart
