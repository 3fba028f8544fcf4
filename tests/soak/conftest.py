"""What the operator's long tests share with its short ones: a control plane, and a namespace for each test."""

from ..integration.operator.conftest import cluster, namespace, plane  # noqa: F401 - fixtures
