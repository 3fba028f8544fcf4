"""One run for each write of a run: the operator is killed after it, or its answer is lost. All end like one without a fault.

So do those that are suspended, resumed and deleted on their way.

Other faults at every write, and long ones, are in `make soak ONLY=operator`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ...support.cluster import Cluster, Obj
from ...support.crash_case import GONE, SPEC, Case, Outcome, differences, every_write, successes
from ...support.faults import Act, lose_answer
from ...unit.api.resources import resource

PARALLEL = 8


@pytest.fixture(scope="module")
def run() -> Obj:
    return resource(**{f"spec__{name}": value for name, value in SPEC.items()})


@pytest.fixture(scope="module")
def calm(cluster: Cluster, run: Obj, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How it goes when nothing happens."""
    outcome = Case(cluster, tmp_path_factory.mktemp("calm"), run).carry_through()
    assert (outcome.account.phase, outcome.account.restarts, outcome.starts) == ("Succeeded", 1, 1)
    assert outcome.endings == ["Unknown", "True"]
    assert outcome.after_the_end == []
    return outcome


def test_killed_after_every_write(cluster: Cluster, run: Obj, calm: Outcome, tmp_path: Path) -> None:
    outcomes = every_write(cluster, tmp_path, run, calm, lambda case: case.kill, PARALLEL)
    found = differences(cluster, calm, outcomes, starts=2)
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def deleted(cluster: Cluster, run: Obj, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How a run that is suspended, resumed and deleted goes when nothing happens."""
    case = Case(cluster, tmp_path_factory.mktemp("deleted"), run)
    outcome = case.carry_through(journey=Case.suspended_resumed_and_deleted)
    assert (outcome.account, outcome.starts, outcome.after_the_end) == (GONE, 1, [])
    assert successes(cluster)[outcome.namespace]["delete jobs"] >= 1
    return outcome


@pytest.mark.parametrize(
    ("act", "starts"),
    [(lambda case: case.kill, 2), (lambda _: lose_answer, 1)],
    ids=["killed", "the answer is lost"],
)
def test_suspension_resumption_and_deletion(
    cluster: Cluster,
    run: Obj,
    deleted: Outcome,
    tmp_path: Path,
    act: Callable[[Case], Act],
    starts: int,
) -> None:
    journey = Case.suspended_resumed_and_deleted
    outcomes = every_write(cluster, tmp_path, run, deleted, act, PARALLEL, journey)
    assert len(outcomes) >= 8
    # Once its Job is gone, nobody can know that the artefacts are, too: then they are deleted once more.
    clean_up = Counter({"create jobs": 1, "delete jobs": 1})
    found = differences(cluster, deleted, outcomes, starts=starts, repeatable=clean_up)
    assert not found, "\n".join(found)


def test_every_answer_is_lost_once(cluster: Cluster, run: Obj, calm: Outcome, tmp_path: Path) -> None:
    outcomes = every_write(cluster, tmp_path, run, calm, lambda _: lose_answer, PARALLEL)
    found = differences(cluster, calm, outcomes, starts=1)
    assert not found, "\n".join(found)
