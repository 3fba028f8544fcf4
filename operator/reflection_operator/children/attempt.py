"""One attempt at a stage: what its children are called, labelled and owned by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reflection_api.layout import child_name
from reflection_api.resource import API_VERSION, KIND, ReflectionTraining
from reflection_api.stages import ROUND_STAGES, Stage

from . import labels
from .progress_place import ProgressPlace

Child = dict[str, Any]
"""A Kubernetes object as plain JSON values."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at one stage of one round."""

    resource: ReflectionTraining
    round_number: int
    stage: Stage
    number: int
    restarts: int
    """Attempts at the stage that failed before this one and count towards maxRestarts."""
    progress: ProgressPlace | None = None
    """Where its pods report their progress; None: nowhere."""

    @property
    def reports_progress(self) -> bool:
        """Whether its pods report progress. A report and a clean-up are done before anybody looks."""
        return self.progress is not None and self.stage in ROUND_STAGES

    @property
    def name(self) -> str:
        """Name of its Job, ConfigMap and Service: known before they exist, so that creating them twice is impossible."""
        run = self.resource.metadata
        return child_name(run.name, run.uid, self.round_number, self.stage, self.number)

    @property
    def labels(self) -> dict[str, str]:
        """Labels of its children and their pods."""
        return labels.child_labels(self.resource.metadata, self.round_number, self.stage, self.number)

    @property
    def selector(self) -> dict[str, str]:
        """Labels that its pods have and no others."""
        return labels.attempt_selector(self.resource.metadata.uid, self.round_number, self.stage, self.number)

    def metadata(self) -> Child:
        """Metadata of a child: owned by the resource, so that the cluster deletes it with the resource."""
        run = self.resource.metadata
        owner = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": run.name,
            "uid": run.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        return {
            "name": self.name,
            "namespace": run.namespace,
            "labels": self.labels,
            "ownerReferences": [owner],
        }
