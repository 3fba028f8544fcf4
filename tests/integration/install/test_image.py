"""Images that are built without a container engine: valid archives; the operator carries a run through, the verifier judges."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts.image import build, build_verifier

from ...support.cluster import RUNS, Cluster, until
from ...support.crd import CRDS
from ...support.helm import CHART, Helm, container, environment
from ...support.kubelet import Kubelet
from ...support.oci import OciImage
from ...support.own_verifier import EXAMPLE, own_verifier
from ...support.shell import in_shell
from ..operator.conftest import SHORT_LEASE, Run
from .releases import ReleasedOperator, make_namespace

NAME = "registry.example.com/ml/reflect-operator:0.1.0"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the root of a process")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> OciImage:
    folder = tmp_path_factory.mktemp("image")
    digest = build(folder / "operator.tar", NAME)
    found = OciImage(folder / "operator.tar", folder)
    assert found.descriptor["digest"] == digest
    if os.geteuid() == 0:
        found.unpack()
    return found


def test_the_archive_says_what_it_is(image: OciImage) -> None:
    assert image.descriptor["annotations"]["io.containerd.image.name"] == NAME
    assert image.descriptor["annotations"]["org.opencontainers.image.ref.name"] == "0.1.0"
    assert image.descriptor["platform"] == {"architecture": "amd64", "os": "linux"}
    assert (image.config["architecture"], image.config["os"]) == ("amd64", "linux")
    user, _, group = image.config["config"]["User"].partition(":")
    assert int(user) >= 1000
    assert int(group) >= 1000
    assert "libc6_" in image.config["config"]["Labels"]["debian.packages"]


def inside(image: OciImage, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the image."""
    (*start, _, _), environ = image.command()
    return subprocess.run([*start, *words], env=environ, text=True, capture_output=True, check=False)


@as_root
def test_the_operator_starts_from_it(image: OciImage) -> None:
    command, environ = image.command("--help")
    done = subprocess.run(command, env=environ, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--trainer-image" in done.stdout


@as_root
def test_its_python_is_whole(image: OciImage) -> None:
    """Every module of the standard library that is made of C finds its libraries."""
    script = "import bz2, ctypes, hashlib, lzma, sqlite3, ssl, sys, uuid, zlib, zoneinfo; "
    script += (
        "zoneinfo.ZoneInfo('Europe/Berlin'); print(len(ssl.create_default_context().get_ca_certs()) > 50)"
    )
    done = inside(image, "-c", script)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


@as_root
def test_nothing_else_is_in_it(image: OciImage) -> None:
    programs = {path.name for folder in ("usr/bin", "usr/sbin") for path in (image.root / folder).iterdir()}
    assert programs == {"python", "python3", "python3.11"}
    written = [
        path for path in image.root.rglob("*") if path.lstat().st_uid != 0 or path.lstat().st_mode & 0o6000
    ]
    assert written == []
    done = inside(
        image,
        "-c",
        "import importlib.util as u; print([n for n in ('torch', 'pytest', 'pip') if u.find_spec(n)])",
    )
    assert done.stdout == "[]\n"


class ContainedOperator(ReleasedOperator):
    """The operator of a release in its image: its root, its user and its environment, and nothing of this machine's."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, log: Path, image: OciImage) -> None:
        super().__init__(cluster, namespace, name, log)
        self._image = image

    def start(self, *options: str) -> None:
        objects = [self.deployment()]
        config = yaml.safe_load(self.kubeconfig.read_text())
        server = config["clusters"][0]["cluster"]
        authority = Path(server.pop("certificate-authority")).read_bytes()
        server["certificate-authority-data"] = base64.b64encode(authority).decode()
        (self._image.root / "tmp/kubeconfig").write_text(yaml.safe_dump(config))
        command, environ = self._image.command(
            "--kubeconfig", "/tmp/kubeconfig", "--health-host", "127.0.0.1", "--health-port", "0",
            "--lease-namespace", self._namespace, *container(objects)["args"], *options,
        )  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environ | environment(objects), stdout=log, stderr=log
            )


@pytest.fixture
def contained(
    admin: Helm, empty_cluster: Cluster, image: OciImage, tmp_path: Path
) -> Iterator[ContainedOperator]:
    make_namespace(empty_cluster, "contained")
    admin.did("install", "c", CHART, "--namespace", "contained", values={"crds": {"keep": False}})
    operator = ContainedOperator(empty_cluster, "contained", "c-reflect-operator", tmp_path / "log", image)
    yield operator
    operator.end()
    print(operator.log())
    admin.did("uninstall", "c", "--namespace", "contained")
    crd = f"{CRDS}/reflectiontrainings.reflection.training"
    until(lambda: empty_cluster.find(crd) is None, "end of the CRD")


@as_root
def test_it_carries_a_run_through(contained: ContainedOperator, empty_cluster: Cluster) -> None:
    cluster = empty_cluster
    until(lambda: cluster.answers(f"{RUNS}/reflectiontrainings"), "API for ReflectionTrainings")
    contained.keep_running(*SHORT_LEASE)
    make_namespace(cluster, "boxed")
    run, kubelet = Run(cluster, "boxed"), Kubelet(cluster, "boxed")
    run.apply()
    until(lambda: run.is_now("Succeeded", "True"), "end of the run", meanwhile=kubelet.tick)
    assert contained.stop() == 0


@as_root
def test_the_verifiers_image_does_what_its_readme_says(tmp_path: Path) -> None:
    build_verifier(tmp_path / "verifier.tar", "registry.example/sums:1")
    image = OciImage(tmp_path / "verifier.tar", tmp_path)
    image.unpack()
    assert image.config["config"]["User"] == "1000:1000"
    command, environ = image.command()
    with own_verifier(command=command, environment=environ) as url:
        checked = in_shell(
            f"reflect verify-conformance {url} --items items.jsonl --verdicts verdicts.jsonl", EXAMPLE
        )
    assert checked.stdout.splitlines()[-1] == "12 checks, all passed"
