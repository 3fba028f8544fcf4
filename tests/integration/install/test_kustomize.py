"""The operator without Helm: rendered from the chart, taken by the API server, and open to an overlay."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts.kustomize import operator

from ...support.cluster import RUNS, Cluster, Obj, until
from ...support.helm import CHART, container, environment, of_kind

ROOT = Path(__file__).parents[3]
BASE = ROOT / "kustomize/base"


def built(cluster: Cluster, folder: Path) -> list[Obj]:
    done = cluster.kubectl("kustomize", folder)
    assert done.returncode == 0, done.stderr
    return [obj for obj in yaml.safe_load_all(done.stdout) if obj]


def test_the_base_is_what_the_chart_gives() -> None:
    assert (BASE / "operator.yaml").read_text() == operator(), "run `make kustomize` and commit it"


@pytest.fixture
def applied(empty_cluster: Cluster) -> Iterator[Cluster]:
    done = empty_cluster.kubectl("apply", "--server-side", "--validate=strict", "-k", BASE)
    assert done.returncode == 0, done.stderr
    yield empty_cluster
    gone = empty_cluster.kubectl("delete", "-k", BASE, "--timeout=60s")
    assert gone.returncode == 0, gone.stderr


def test_the_api_server_takes_it(applied: Cluster) -> None:
    until(lambda: applied.answers(f"{RUNS}/reflectiontrainings"), "API for ReflectionTrainings")
    pods = "/api/v1/namespaces/reflect-system/pods"
    # The namespace enforces the restricted Pod Security Standard.
    assert until(lambda: applied.items(pods), "pod of the operator")


def test_it_is_whole(empty_cluster: Cluster) -> None:
    objects = built(empty_cluster, BASE)
    assert len(of_kind(objects, "CustomResourceDefinition")) == 1
    places = {obj["metadata"].get("namespace") for obj in objects} - {None}
    assert places == {"reflect-system"}
    assert [obj["metadata"]["name"] for obj in of_kind(objects, "Namespace")] == ["reflect-system"]


def test_an_overlay_changes_both_images(empty_cluster: Cluster) -> None:
    objects = built(empty_cluster, ROOT / "examples/gitops/operator")
    assert container(objects)["image"] == "registry.example.com/ml/reflect-operator:0.1.0"
    assert environment(objects)["REFLECT_TRAINER_IMAGE"] == "registry.example.com/ml/reflect-trainer:0.1.0"
    assert environment(objects)["REFLECT_IMAGE_PULL_POLICY"] == "IfNotPresent"


def test_an_overlay_elsewhere_has_the_base_by_its_address(
    empty_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the overlay's comment says, with a repository of this machine in place of GitHub's."""
    here = ROOT / "examples/gitops/operator"
    text = (here / "kustomization.yaml").read_text()
    (address,) = re.findall(r"https://\S+", text)
    github, published = address.replace("<owner>", "me").split("//kustomize")[0], tmp_path / "published"
    publish(published)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{published}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", github)
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    own = text.replace("- ../../../kustomize/base", f"- {address.replace('<owner>', 'me')}")
    (overlay / "kustomization.yaml").write_text(own)
    assert built(empty_cluster, overlay) == built(empty_cluster, here)


def publish(folder: Path) -> None:
    """A repository with the base, and the tag of this version."""
    for part in ("crds", "kustomize"):
        shutil.copytree(ROOT / part, folder / part)
    tag = f"v{yaml.safe_load((CHART / 'Chart.yaml').read_text())['version']}"
    author = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    for words in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "all"), ("tag", tag)):
        subprocess.run(["git", *words], cwd=folder, check=True)


def test_the_example_has_everything_in_the_bucket(applied: Cluster) -> None:
    until(lambda: applied.answers(f"{RUNS}/reflectiontrainings"), "API for ReflectionTrainings")
    done = applied.kubectl("apply", "--dry-run=server", "--output=yaml", "-k", ROOT / "examples/countdown")
    assert done.returncode == 0, done.stderr
    spec = yaml.safe_load(done.stdout)["spec"]
    places = [spec["model"], spec["task"]["prompts"], spec["evaluation"]["prompts"], spec["storage"]]
    assert all(place["uri"].startswith("s3://team/") for place in places)
    assert spec["storage"]["credentialsSecret"]


def test_the_example_asks_for_no_gpu_and_takes_the_image_without(empty_cluster: Cluster) -> None:
    """Of this version, and one of those that docs/install.md has people build."""
    (run,) = built(empty_cluster, ROOT / "examples/countdown")
    assert "gpusPerWorker" not in run["spec"]["rollout"]
    version = yaml.safe_load((ROOT / "helm/reflect-operator/Chart.yaml").read_text())["appVersion"]
    image = run["spec"]["pods"]["common"]["image"]
    assert image == f"registry.example.com/ml/reflect-trainer:{version}-cpu"
    assert f"--target cpu -t {image} ." in (ROOT / "docs/install.md").read_text()
