"""Labels that go from a resource to its Jobs, when they are made and when they are given back."""

from __future__ import annotations

import pytest
from reflection_api.stages import Stage
from reflection_operator.children.labels import copied_labels

QUEUE = {"kueue.x-k8s.io/queue-name": "team-a"}


@pytest.mark.parametrize("stage", list(Stage))
def test_no_clean_up_waits_in_a_queue(stage: Stage) -> None:
    found = copied_labels(QUEUE | {"argocd.argoproj.io/instance": "runs"}, stage)
    assert found == ({} if stage is Stage.CLEANUP else QUEUE)
