"""The last look at a resource that a finalizer holds: after it nobody looks again."""

from __future__ import annotations

import copy

import pytest
from reflection_operator.kube.kinds import JOBS, RUNS
from reflection_operator.kube.reconciler import Stale
from reflection_operator.reconcile.deletion import FINALIZER

from .server import HELD, Bench, once, refusal, with_artefacts


def test_a_clean_up_whose_job_has_changed_is_looked_at_again_before_the_resource_is_let_go() -> None:
    """No owner deletes that Job, and nobody looks at a run that is gone."""
    bench = Bench(with_artefacts(**HELD))
    bench.look()
    path = JOBS.path("ml", "countdown-1a2b3c4d-r1-cleanup-1")
    done = copy.deepcopy(bench.server.objects[path])
    done["metadata"]["resourceVersion"] = "900"
    ended = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-08-01T12:00:00Z"}
    done["status"] = {"conditions": [ended]}
    bench.server.objects[path] = done
    bench.store.put(JOBS, done)
    bench.server.before = once(refusal(409, "Conflict"), "delete", JOBS)
    with pytest.raises(Stale):
        bench.look()
    stored = RUNS.path("ml", "countdown")
    assert FINALIZER in bench.server.objects[stored]["metadata"]["finalizers"]
    bench.look()
    assert path not in bench.server.objects
    assert bench.server.objects[stored]["metadata"]["finalizers"] == ["example.com/other"]
