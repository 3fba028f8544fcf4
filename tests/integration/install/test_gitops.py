"""The recipes for Argo CD and Flux, carried out by their engines, on statuses that the operator's decision gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cel_expr_python import cel
from reflection_api.layout import child_name
from reflection_api.resource import ReflectionTraining
from reflection_api.stages import Stage
from reflection_api.status import Verdict
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.observed import PodPhase, Refusal

from ...support.cluster import CORE, RUNS, Cluster, Obj, until
from ...support.crd import CRDS
from ...support.go_modules import HELM_CONTROLLER, KUSTOMIZE_CONTROLLER, SOURCE_CONTROLLER, GoModule
from ...support.helm import CHART, Helm, container
from ...support.lua import run_lua
from ...unit.reconcile.builders import (
    NAME,
    UID,
    complete,
    decided,
    failed,
    job,
    look,
    pod,
    resource,
    status_at,
    status_of,
    succeeded,
)
from .releases import CRD_FILE, make_namespace

EXAMPLES = Path(__file__).parents[3] / "examples/gitops"
KIND = "reflection.training_ReflectionTraining"
CUSTOMIZATIONS = yaml.safe_load((EXAMPLES / "argocd/argocd-cm.yaml").read_text())["data"]
HEALTH = CUSTOMIZATIONS[f"resource.customizations.health.{KIND}"]
ACTIONS = yaml.safe_load(CUSTOMIZATIONS[f"resource.customizations.actions.{KIND}"])
FLUX: dict[tuple[str, str], Obj] = {
    (file.stem, obj["kind"]): obj
    for file in sorted((EXAMPLES / "flux").iterdir())
    for obj in yaml.safe_load_all(file.read_text())
}
"""Each object of the example by its file and its kind."""
FLUX_KINDS: dict[str, GoModule] = {
    "kustomize.toolkit.fluxcd.io_kustomizations": KUSTOMIZE_CONTROLLER,
    "source.toolkit.fluxcd.io_gitrepositories": SOURCE_CONTROLLER,
    "helm.toolkit.fluxcd.io_helmreleases": HELM_CONTROLLER,
}
"""The names of their definitions, and who has them."""
VERDICT = Verdict(succeeded=True, reason="Completed", message="second try 0.300 -> 0.800")


def new() -> ReflectionTraining:
    return resource()


def accepted() -> ReflectionTraining:
    return resource(status_of(decided(resource(), at=0)))


def training() -> ReflectionTraining:
    return resource(status_at(Stage.TRAIN))


def changed() -> ReflectionTraining:
    return resource(status_at(Stage.TRAIN), generation=2)


def hindered() -> ReflectionTraining:
    waiting = job(Stage.ROLLOUT)
    words = "0/3 nodes are available: 3 Insufficient memory."
    stuck = pod(waiting, phase=PodPhase.PENDING, node=None, unschedulable=words)
    return resource(status_of(decided(resource(status_at(Stage.ROLLOUT)), [waiting], [stuck])))


def refused() -> ReflectionTraining:
    """The API server takes no child of this spec: only another spec can mend that."""
    wrong = Refusal(
        child_name(NAME, UID, 1, Stage.ROLLOUT, 1), "spec.env[0].name: Invalid value", invalid=True
    )
    return resource(status_of(decide(replace(look(accepted()), refusal=wrong))))


def suspended() -> ReflectionTraining:
    run = resource(status_at(Stage.TRAIN), suspend=True)
    stopping = status_of(decided(run, [job(Stage.TRAIN)], [pod(job(Stage.TRAIN))]))
    return resource(status_of(decided(resource(stopping, suspend=True), [], [])), suspend=True)


def done() -> ReflectionTraining:
    report = complete(Stage.REPORT)
    run = resource(status_at(Stage.REPORT, verdict=VERDICT))
    return resource(status_of(decided(run, [report], [succeeded(report)])))


def lost() -> ReflectionTraining:
    verdict = VERDICT.model_copy(update={"succeeded": False, "reason": "GateFailed"})
    run = resource(status_at(Stage.REPORT, attempt=4, restarts=3, verdict=verdict))
    return resource(status_of(decided(run, [failed(Stage.REPORT, 4)])))


def stored(run: ReflectionTraining) -> Obj:
    """A run as the API server has it: by the CRD's default nobody has looked at a new one."""
    return {"status": {"observedGeneration": -1}} | run.to_dict()


HEALTHS = [
    (new, "Progressing", "the operator has not looked at this version yet"),
    (accepted, "Progressing", "Pending"),
    (training, "Progressing", "Training"),
    (changed, "Progressing", "the operator has not looked at this version yet"),
    (hindered, "Progressing", "Unschedulable: "),
    (refused, "Degraded", "ChildRefused: round 1 of 1, rollout: "),
    (suspended, "Suspended", "suspended at stage train"),
    (done, "Healthy", "second try 0.300 -> 0.800"),
    (lost, "Degraded", "GateFailed: second try 0.300 -> 0.800"),
]


@pytest.mark.parametrize(("run", "health", "words"), HEALTHS, ids=lambda part: getattr(part, "__name__", ""))
def test_argo_cd_knows_how_healthy_a_run_is(run: Any, health: str, words: str, tmp_path: Path) -> None:
    found = run_lua(HEALTH, stored(run()), tmp_path)
    assert found["status"] == health
    assert found["message"].startswith(words)


def test_argo_cd_reads_a_resource_without_any_status(tmp_path: Path) -> None:
    bare = stored(new())
    del bare["status"]
    assert run_lua(HEALTH, bare, tmp_path)["status"] == "Progressing"


@pytest.mark.parametrize(
    ("run", "suspend", "resume"),
    [(training, True, False), (suspended, False, True), (done, False, False), (lost, False, False)],
    ids=lambda part: getattr(part, "__name__", ""),
)
def test_argo_cd_offers_the_action_that_is_possible(
    run: Any, suspend: bool, resume: bool, tmp_path: Path
) -> None:
    found = run_lua(ACTIONS["discovery.lua"], stored(run()), tmp_path)
    assert {name: not action["disabled"] for name, action in found.items()} == {
        "suspend": suspend,
        "resume": resume,
    }
    assert {action["name"] for action in ACTIONS["definitions"]} == found.keys()


@pytest.fixture(scope="module")
def known(empty_cluster: Cluster) -> Iterator[Cluster]:
    """A cluster that knows ReflectionTrainings, and what Flux is told by."""
    flux = [module.folder() / f"config/crd/bases/{name}.yaml" for name, module in FLUX_KINDS.items()]
    made: list[str] = []
    for file in (CRD_FILE, *flux):
        crd = yaml.safe_load(file.read_text())
        empty_cluster.create(CRDS, crd)
        made.append(f"{CRDS}/{crd['metadata']['name']}")
        group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        (version,) = [each["name"] for each in crd["spec"]["versions"] if each["storage"]]
        served = f"/apis/{group}/{version}/{plural}"
        until(lambda served=served: empty_cluster.answers(served), f"API for {plural}")
    yield empty_cluster
    for path in made:
        empty_cluster.delete(path)
        until(lambda path=path: empty_cluster.find(path) is None, f"end of {path}")


def test_the_actions_change_what_the_api_server_lets_them(known: Cluster, tmp_path: Path) -> None:
    make_namespace(known, "argo")
    path = f"{RUNS}/namespaces/argo/reflectiontrainings"
    obj = known.create(path, stored(new()) | {"metadata": {"name": "countdown"}})
    scripts = {action["name"]: action["action.lua"] for action in ACTIONS["definitions"]}
    for action, suspend in (("suspend", True), ("resume", False)):
        changed_by_it = run_lua(scripts[action], obj, tmp_path)
        assert changed_by_it["spec"].keys() == obj["spec"].keys() | {"suspend"}
        # Argo CD sends what is different; to Lua an empty list is an empty map, which it knows.
        obj = known.patch(f"{path}/countdown", {"spec": {"suspend": changed_by_it["spec"]["suspend"]}})
        assert obj["spec"]["suspend"] is suspend


def test_the_customization_is_merged_as_its_file_says(known: Cluster) -> None:
    file = EXAMPLES / "argocd/argocd-cm.yaml"
    make_namespace(known, "argocd")
    known.create(
        f"{CORE}/namespaces/argocd/configmaps", {"metadata": {"name": "argocd-cm"}, "data": {"url": "ours"}}
    )
    (command,) = [line.strip("# ") for line in file.read_text().splitlines() if "kubectl" in line]
    done = known.kubectl(*command.split()[1:-1], EXAMPLES.parents[1] / command.split()[-1])
    assert done.returncode == 0, done.stderr
    merged = known.get(f"{CORE}/namespaces/argocd/configmaps/argocd-cm")["data"]
    assert merged == {"url": "ours"} | CUSTOMIZATIONS


def evaluated(expression: str, obj: Obj) -> bool:
    """What an expression of Flux says of an object, whose parts are its variables."""
    variables = dict.fromkeys(obj, cel.Type.DYN)
    result = cel.NewEnv(variables=variables).compile(expression).eval(data=obj)
    assert result.type() == cel.Type.BOOL, result.value()
    return bool(result.value())


FLUX_SAYS = [
    (new, "inProgress"),
    (accepted, "inProgress"),
    (training, "inProgress"),
    (changed, "inProgress"),
    (hindered, "inProgress"),
    (refused, "inProgress"),
    (suspended, "inProgress"),
    (done, "current"),
    (lost, "failed"),
]


@pytest.mark.parametrize(("run", "expected"), FLUX_SAYS, ids=lambda part: getattr(part, "__name__", ""))
def test_flux_knows_how_a_run_stands(run: Any, expected: str) -> None:
    """It asks in this order and stops at the first that holds."""
    (rules,) = FLUX["runs", "Kustomization"]["spec"]["healthCheckExprs"]
    obj = stored(run())
    asked = (name for name in ("inProgress", "failed", "current") if evaluated(rules[name], obj))
    assert next(asked) == expected


def test_flux_takes_the_recipes(known: Cluster) -> None:
    (namespace,) = {obj["metadata"]["namespace"] for obj in FLUX.values()}
    make_namespace(known, namespace)
    applied = known.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", EXAMPLES / "flux")
    assert applied.returncode == 0, applied.stderr
    assert applied.stdout.count(" created (server dry run)") == len(FLUX) == 4


@pytest.mark.parametrize(("file", "kind"), [key for key in FLUX if key[1] != "GitRepository"])
def test_what_flux_carries_out_has_its_repository_beside_it(file: str, kind: str) -> None:
    spec = FLUX[file, kind]["spec"]
    source = spec["sourceRef"] if kind == "Kustomization" else spec["chart"]["spec"]["sourceRef"]
    assert source == {"kind": "GitRepository", "name": FLUX[file, "GitRepository"]["metadata"]["name"]}


def test_flux_and_argo_cd_install_the_same_operator(helm: Helm) -> None:
    release = FLUX["operator", "HelmRelease"]["spec"]
    argo = yaml.safe_load((EXAMPLES / "argocd/operator.yaml").read_text())["spec"]
    assert release["values"] == argo["source"]["helm"]["valuesObject"]
    assert release["targetNamespace"] == argo["destination"]["namespace"]
    assert EXAMPLES.parents[1] / release["chart"]["spec"]["chart"] == CHART
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    image = container(helm.render(release["values"], name=release["releaseName"]))["image"]
    assert image == f"registry.example.com/ml/reflect-operator:{version}"
    tag = FLUX["operator", "GitRepository"]["spec"]["ref"]["tag"]
    assert tag == argo["source"]["targetRevision"] == f"v{version}"


def test_the_runs_of_the_example_are_valid(known: Cluster) -> None:
    applied = known.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", EXAMPLES / "runs")
    assert applied.stdout.split() == [
        "reflectiontraining.reflection.training/countdown", "created", "(server", "dry", "run)",
    ], applied.stderr  # fmt: skip


def test_the_examples_name_folders_that_exist() -> None:
    root = EXAMPLES.parents[1]
    for name in ("operator", "runs"):
        source = yaml.safe_load((EXAMPLES / f"argocd/{name}.yaml").read_text())["spec"]["source"]
        assert (root / source["path"]).is_dir()
    assert (root / FLUX["runs", "Kustomization"]["spec"]["path"]).is_dir()


def test_argo_cd_leaves_alone_what_its_actions_change() -> None:
    spec = yaml.safe_load((EXAMPLES / "argocd/runs.yaml").read_text())["spec"]
    (ignored,) = spec["ignoreDifferences"]
    assert f"{ignored['group']}_{ignored['kind']}" == KIND
    assert ignored["jsonPointers"] == ["/spec/suspend"]
    assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]
