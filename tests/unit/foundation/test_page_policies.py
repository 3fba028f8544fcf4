"""The policies of docs/storage.md: real actions, no more and no fewer than the storage is asked, for the page's own account."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import boto3.session
import pytest
import yaml
from botocore.credentials import AssumeRoleWithWebIdentityProvider, ContainerProvider
from reflection_api.layout import run_uri
from reflection_api.stages import Stage

from ...support.pages import ROOT, fences

PAGE = ROOT / "docs/storage.md"
POLICIES = {fence.name: json.loads(fence.text) for fence in fences(PAGE) if fence.language == "json"}
RIGHTS, TRUST = ("policy.json", "namespace.json"), ("irsa-trust.json", "pod-identity-trust.json")
UPLOADS = "s3:ListBucketMultipartUploads"
REQUESTS = {
    "s3:ListBucket": {"ListObjectsV2"},
    UPLOADS: {"ListMultipartUploads"},
    "s3:GetObject": {"GetObject", "HeadObject"},
    "s3:PutObject": {"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"},
    "s3:DeleteObject": {"DeleteObject"},
    "s3:AbortMultipartUpload": {"AbortMultipartUpload"},
}
"""Actions of S3 with the requests that they allow, as its documentation has them: the names differ."""
OF_BUCKETS = {"s3:ListBucket", UPLOADS}
"""The others are of objects."""
BUCKET = "arn:aws:s3:::team"
STORAGE = "s3://team/runs"
UID = "1a2b3c4d-0000-4000-8000-000000000001"
CLIENT = boto3.session.Session().client(
    "s3", region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-"
)


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def allowed(name: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Action, resource and condition of all that a policy allows."""
    for statement in POLICIES[name]["Statement"]:
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield action, resource, statement.get("Condition", {})


def asked_for() -> set[str]:
    """The requests that the code makes."""
    code = "".join(
        file.read_text() for file in (ROOT / "trainer_image/reflection_trainer/storage/s3").glob("*.py")
    )
    methods = CLIENT.meta.method_to_api_mapping
    return {methods[found] for found in re.findall(r"\bclient\.(\w+)\(", code)}


def objects() -> list[dict[str, Any]]:
    return [yaml.safe_load(fence.text) for fence in fences(PAGE) if fence.language == "yaml"]


def account() -> dict[str, Any]:
    (found,) = (each for each in objects() if each.get("kind") == "ServiceAccount")
    return found


def without_a_webhook() -> dict[str, Any]:
    """The pods that are told by the resource what EKS tells its own."""
    (found,) = (
        each["spec"]["pods"]["common"]
        for each in objects()
        if "env" in each.get("spec", {}).get("pods", {}).get("common", {})
    )
    return found


def test_every_policy_is_looked_at_here() -> None:
    assert tuple(POLICIES) == (*RIGHTS, *TRUST)


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_has_the_parts_that_policies_have(name: str) -> None:
    assert POLICIES[name].keys() == {"Version", "Statement"}
    assert POLICIES[name]["Version"] == "2012-10-17"
    whose = {"Resource"} if name in RIGHTS else {"Principal"}
    for statement in POLICIES[name]["Statement"]:
        assert statement.keys() - {"Condition"} == {"Effect", "Action"} | whose
        assert statement["Effect"] == "Allow"


def test_the_requests_are_real_ones() -> None:
    known = set(CLIENT.meta.service_model.operation_names)
    assert set().union(*REQUESTS.values()) <= known


def test_the_policy_allows_what_the_code_asks_for_and_no_more() -> None:
    actions = {action for action, _, _ in allowed("policy.json")}
    assert actions <= REQUESTS.keys(), "an action that S3 does not have, or that nobody here knows"
    assert len(asked_for()) > 8
    assert set().union(*(REQUESTS[action] for action in actions)) == asked_for()


@pytest.mark.parametrize("name", RIGHTS)
def test_actions_on_a_bucket_name_a_bucket_and_those_on_objects_objects(name: str) -> None:
    for action, resource, condition in allowed(name):
        assert (resource == BUCKET) is (action in OF_BUCKETS)
        assert resource == BUCKET or resource.startswith(f"{BUCKET}/")
        assert not condition or action == "s3:ListBucket", "s3:prefix is no key of any other action"


def test_the_policy_of_a_namespace_allows_its_runs_and_no_others() -> None:
    """With what the page says that may be left out left out."""
    granted = list(allowed("namespace.json"))
    assert {action for action, _, _ in granted} == {action for action, _, _ in allowed("policy.json")} - {
        UPLOADS
    }
    (prefixes,) = (condition["StringLike"]["s3:prefix"] for _, _, condition in granted if condition)
    for namespace, own in (("ml", True), ("ml-2", False), ("other", False)):
        key = run_uri(STORAGE, namespace, "countdown", UID).removeprefix("s3://team/")
        assert any(fnmatchcase(f"{key}/round-1/verify/", pattern) for pattern in prefixes) is own
        for wanted in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"):
            found = [
                resource
                for action, resource, _ in granted
                if action == wanted and fnmatchcase(f"{BUCKET}/{key}/report/index.html", resource)
            ]
            assert bool(found) is own


def test_one_run_is_named_by_what_is_known_of_it_beforehand() -> None:
    (pattern,) = set(re.findall(r"`(runs/ml/countdown-\*)`", PAGE.read_text()))
    key = run_uri(STORAGE, "ml", "countdown", UID).removeprefix("s3://team/")
    assert fnmatchcase(f"{key}/{Stage.REPORT}/", pattern)
    assert not fnmatchcase(f"{key}/".replace("countdown", "puzzles"), pattern)


def test_the_role_trusts_the_service_account_of_the_page_by_its_issuer() -> None:
    (statement,) = POLICIES["irsa-trust.json"]["Statement"]
    name, place = account()["metadata"]["name"], account()["metadata"]["namespace"]
    issuer = statement["Principal"]["Federated"].partition(":oidc-provider/")[2]
    (token,) = without_a_webhook()["volumes"][0]["projected"]["sources"]
    assert statement["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": token["serviceAccountToken"]["audience"],
            f"{issuer}:sub": f"system:serviceaccount:{place}:{name}",
        }
    }
    sts = boto3.session.Session().client("sts", region_name="us-east-1").meta.service_model.operation_names
    assert statement["Action"].removeprefix("sts:") in sts


def test_the_role_is_the_same_wherever_the_page_names_it() -> None:
    roles = set(re.findall(r"arn:aws:iam::\d+:role/[\w-]+", PAGE.read_text()))
    assert roles == set(account()["metadata"]["annotations"].values())


def test_pod_identity_may_take_the_role_and_tag_the_session() -> None:
    (statement,) = POLICIES["pod-identity-trust.json"]["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_the_variables_of_the_page_are_those_that_are_read() -> None:
    named = set(re.findall(r"`(AWS_[A-Z_]+)`", PAGE.read_text().partition("## Workload identity")[2]))
    known = {*AssumeRoleWithWebIdentityProvider._CONFIG_TO_ENV_VAR.values(), ContainerProvider.ENV_VAR_FULL}
    assert named - {"AWS_ACCESS_KEY_ID"} == known - {"AWS_ROLE_SESSION_NAME"}
    assert {each["name"] for each in without_a_webhook()["env"]} <= known


def test_the_token_is_where_the_variable_says() -> None:
    pods = without_a_webhook()
    (volume,), (mount,) = pods["volumes"], pods["volumeMounts"]
    (source,) = volume["projected"]["sources"]
    file = next(each["value"] for each in pods["env"] if each["name"] == "AWS_WEB_IDENTITY_TOKEN_FILE")
    assert mount["name"] == volume["name"]
    assert file == f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
