"""Values of the chart: one set in which everything is switched on."""

from __future__ import annotations

from typing import Any

DIGEST = "sha256:" + "ab" * 32

EVERYTHING: dict[str, Any] = {
    "commonLabels": {"team": "ml"},
    "imageRegistry": "registry.example.com/ml",
    "image": {"digest": DIGEST},
    "trainerImage": {"tag": "gpu-1", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "replicas": 2,
    "serviceAccount": {"annotations": {"example.com/owner": "ml"}},
    "podAnnotations": {"example.com/a": "b"},
    "podLabels": {"example.com/c": "d"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "control", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}
                        ]
                    }
                ]
            }
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
    "extraObjects": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "a-map"},
            "data": {"a": "{{ .Release.Name }}"},
        },
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a-text\ndata:\n  version: {{ .Chart.AppVersion | quote }}\n",
    ],
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
        ],
        "apiServer": {"ports": [6443], "cidrs": ["10.0.0.1/32"]},
        "extraEgress": [{"ports": [{"port": 3128, "protocol": "TCP"}]}],
    },
    "metrics": {
        "service": {"enabled": True, "annotations": {"example.com/e": "f"}},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "alertLabels": {"team": "ml"},
        },
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "ML"}},
    },
}
