"""Alerts and dashboard of the chart, against the metrics that the operator really has."""

from __future__ import annotations

import json
import re

import promql_parser
from reflection_operator.kube.metrics import Metrics

from ...support.helm import Helm, of_kind, one
from .values import EVERYTHING


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\breflect_[a-z_]+", expression))


def known_series() -> set[str]:
    """The series of the operator's metrics."""
    found = set()
    for name, _, _ in Metrics().described():
        suffixes = ("_bucket", "_count", "_sum") if name.endswith("_seconds") else ("",)
        found |= {name} | {name + suffix for suffix in suffixes}
    return found


def known_labels() -> dict[str, set[str]]:
    return {name: set(labels) for name, labels, _ in Metrics().described()}


def base(series: str) -> str:
    """The metric of a series."""
    return series if series in known_labels() else re.sub(r"_(bucket|count|sum)$", "", series)


def expressions(helm: Helm) -> list[str]:
    """Of all alerts and panels."""
    objects = helm.render(EVERYTHING)
    (group,) = one(objects, "PrometheusRule")["spec"]["groups"]
    maps = {obj["metadata"]["name"]: obj for obj in of_kind(objects, "ConfigMap")}
    dashboard = json.loads(maps["reflect-operator-dashboard"]["data"]["reflect-operator.json"])
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [rule["expr"] for rule in group["rules"]] + targets


def test_alerts_and_panels_know_only_metrics_and_labels_that_exist(helm: Helm) -> None:
    seen: set[str] = set()
    for expression in expressions(helm):
        names = names_in(expression)
        assert names, expression
        assert names <= known_series(), expression
        seen |= {base(name) for name in names}
        allowed = {"le", "pod"}.union(*(known_labels()[base(name)] for name in names))
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            assert set(grouped.split(", ")) <= allowed, expression
    assert seen == set(known_labels()), "a metric that no panel shows"


def test_every_expression_is_one(helm: Helm) -> None:
    for expression in expressions(helm):
        promql_parser.parse(re.sub(r"\$__(rate_interval|range)", "5m", expression))


def test_alerts_select_the_series_of_their_own_release(helm: Helm) -> None:
    objects = helm.render(EVERYTHING)
    (service,) = (
        each["metadata"]["name"]
        for each in of_kind(objects, "Service")
        if each["metadata"]["name"].endswith("-metrics")
    )
    (group,) = one(objects, "PrometheusRule")["spec"]["groups"]
    for rule in group["rules"]:
        selectors = re.findall(r"reflect_\w+\{([^}]*)\}", rule["expr"])
        assert selectors
        for selector in selectors:
            assert f'namespace="ops",job="{service}"' in selector
        assert rule["labels"]["team"] == "ml"
        assert rule["labels"]["severity"] in ("warning", "critical")
