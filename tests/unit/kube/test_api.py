"""What the operator may ask for, and what it makes of a refusal."""

from __future__ import annotations

import json

import pytest
from kubernetes.aio.client import Configuration
from reflection_operator.kube.api import Api
from reflection_operator.kube.errors import ApiError, NotSent
from reflection_operator.kube.kinds import IN_OWN_NAMESPACE, IN_RUN_NAMESPACES, JOBS, PODS, RUN_STATUS, RUNS
from reflection_operator.kube.metrics import Metrics
from reflection_operator.kube.rbac import manifests

from .looptime import in_no_time


def error(status: int, body: object, **headers: str) -> ApiError:
    return ApiError(
        "create /x", status, body if isinstance(body, bytes) else json.dumps(body).encode(), headers
    )


def test_paths() -> None:
    assert JOBS.path("ml", "a") == "/apis/batch/v1/namespaces/ml/jobs/a"
    assert PODS.path() == "/api/v1/pods"
    assert RUN_STATUS.path("ml", "a") == (
        "/apis/reflection.training/v1alpha1/namespaces/ml/reflectiontrainings/a/status"
    )


def test_a_verb_without_permission_is_never_sent() -> None:
    async def play() -> None:
        await Api(Configuration(), Metrics()).delete(PODS, "ml", "a", uid="x")

    with pytest.raises(AssertionError, match="delete of pods is not among the permissions"):
        in_no_time(play())


@pytest.mark.parametrize("verb", ["create", "update", "patch", "delete"])
def test_nothing_is_written_without_the_leadership(verb: str) -> None:
    async def play() -> None:
        api = Api(Configuration(), Metrics(), may_write=lambda: False)
        match verb:
            case "create":
                await api.create(JOBS, "ml", {})
            case "update":
                await api.update(RUN_STATUS, "ml", "a", {})
            case "patch":
                await api.patch(JOBS, "ml", "a", {})
            case _:
                await api.delete(RUNS, "ml", "a", uid="x")

    with pytest.raises(NotSent, match="no longer sure to be the leader"):
        in_no_time(play())


def test_what_a_refusal_means() -> None:
    assert error(404, {"reason": "NotFound"}).not_found
    assert error(409, {"reason": "AlreadyExists"}).already_exists
    assert error(409, {"reason": "Conflict"}).conflict
    assert not error(409, {"reason": "AlreadyExists"}).conflict
    ending = {"reason": "Forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}
    assert error(403, ending).namespace_ending
    assert not error(403, {"reason": "Forbidden"}).namespace_ending
    assert [error(status, {}).final for status in (400, 403, 422, 429, 500, 503)] == [True] * 3 + [False] * 3
    assert error(429, {}, **{"Retry-After": "3"}).retry_after == 3
    assert error(429, {}, **{"Retry-After": "soon"}).retry_after is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>bad gateway</html>", b"[]", b'{"details": 3}', b'{"details": {"causes": 1}}']
)
def test_an_answer_that_is_no_status_is_survived(body: bytes) -> None:
    """A proxy on the way answers as it likes."""
    assert error(502, body).status == 502


def test_roles_name_every_verb_and_nothing_else() -> None:
    objects = manifests([], "ops", "reflect-operator", progress=False)
    assert [(each["kind"], each["metadata"].get("namespace")) for each in objects] == [
        ("Role", "ops"), ("RoleBinding", "ops"), ("ClusterRole", None), ("ClusterRoleBinding", None),
    ]  # fmt: skip
    granted = {
        (rule["apiGroups"][0], rule["resources"][0], verb)
        for each in objects if "rules" in each for rule in each["rules"] for verb in rule["verbs"]
    }  # fmt: skip
    assert granted == {
        (kind.group, kind.resource, verb)
        for kind in (*IN_RUN_NAMESPACES, *IN_OWN_NAMESPACE)
        for verb in kind.verbs
    }
    assert not any("*" in part for each in granted for part in each)


def test_for_given_namespaces_roles_are_enough() -> None:
    objects = manifests(["a", "b"], "ops", "reflect-operator", progress=False)
    assert {each["kind"] for each in objects} == {"Role", "RoleBinding"}
    assert {each["metadata"]["namespace"] for each in objects} == {"ops", "a", "b"}


def test_progress_takes_one_secret_and_reviews_and_nothing_else() -> None:
    def granted(progress: bool) -> list[tuple[str, str, str, str]]:
        return [
            (each["kind"], rule["resources"][0], verb, rule.get("resourceNames", ["any"])[0])
            for each in manifests(["a"], "ops", "reflect-operator", progress=progress) if "rules" in each
            for rule in each["rules"] for verb in rule["verbs"]
        ]  # fmt: skip

    assert sorted(set(granted(True)) - set(granted(False))) == [
        ("ClusterRole", "tokenreviews", "create", "any"),
        ("Role", "secrets", "create", "any"),
        ("Role", "secrets", "get", "reflect-operator-progress"),
        ("Role", "secrets", "update", "reflect-operator-progress"),
    ]
