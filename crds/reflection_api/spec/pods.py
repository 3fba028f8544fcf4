"""What may be changed on the pods of a run: a whitelist, so that the pods stay the operator's own."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..base import ApiModel
from .fields import KubernetesObject, SecretName

_Label = Annotated[str, Field(max_length=316)]


class PodSpecOverrides(ApiModel):
    """Changes to the pods of a stage. Values have the shape of the core Kubernetes types."""

    image: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        None, description="Image of the stage's container. Default: the operator's trainer image."
    )
    service_account_name: SecretName | None = Field(
        None, description="ServiceAccount of the pods, for example for workload identity."
    )
    image_pull_secrets: Annotated[list[KubernetesObject], Field(max_length=16)] = Field(
        default_factory=list, description="Secrets to pull the image with: [{name}]."
    )
    node_selector: Annotated[dict[str, _Label], Field(max_length=64)] = Field(
        default_factory=dict, description="Labels that the node must have."
    )
    tolerations: Annotated[list[KubernetesObject], Field(max_length=64)] = Field(
        default_factory=list, description="Taints that the pods tolerate."
    )
    affinity: KubernetesObject | None = Field(None, description="Node and pod affinity.")
    topology_spread_constraints: Annotated[list[KubernetesObject], Field(max_length=16)] = Field(
        default_factory=list, description="How the pods spread over the cluster."
    )
    priority_class_name: SecretName | None = Field(None, description="PriorityClass of the pods.")
    runtime_class_name: SecretName | None = Field(
        None, description="RuntimeClass of the pods, for example nvidia or gvisor."
    )
    env: Annotated[list[KubernetesObject], Field(max_length=128)] = Field(
        default_factory=list, description="Environment variables of the stage's container."
    )
    env_from: Annotated[list[KubernetesObject], Field(max_length=32)] = Field(
        default_factory=list, description="Secrets and ConfigMaps whose keys become environment variables."
    )
    resources: KubernetesObject | None = Field(
        None,
        description="Requests and limits of the stage's container; GPUs come from gpusPerWorker and gpusPerNode.",
    )
    volumes: Annotated[list[KubernetesObject], Field(max_length=32)] = Field(
        default_factory=list, description="Volumes of the pods."
    )
    volume_mounts: Annotated[list[KubernetesObject], Field(max_length=32)] = Field(
        default_factory=list, description="Where the stage's container mounts them."
    )
    labels: Annotated[dict[str, _Label], Field(max_length=64)] = Field(
        default_factory=dict, description="Labels added to the pods; the operator's own cannot be replaced."
    )
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=16384)]], Field(max_length=64)] = Field(
        default_factory=dict, description="Annotations added to the pods."
    )


class PodsSpec(ApiModel):
    """Changes to pods: `common` for all stages, each stage's own over it. Takes effect with the next Job."""

    common: PodSpecOverrides = Field(
        default_factory=PodSpecOverrides, description="For the pods of every stage."
    )
    rollout: PodSpecOverrides = Field(default_factory=PodSpecOverrides, description="For rollout pods.")
    verifier: PodSpecOverrides = Field(default_factory=PodSpecOverrides, description="For verify pods.")
    training: PodSpecOverrides = Field(default_factory=PodSpecOverrides, description="For training pods.")
    evaluation: PodSpecOverrides = Field(default_factory=PodSpecOverrides, description="For evaluation pods.")
    report: PodSpecOverrides = Field(
        default_factory=PodSpecOverrides,
        description="For the report pod, and for the one that deletes the artefacts (deletionPolicy Delete).",
    )
