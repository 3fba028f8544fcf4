"""One run for each write of a run: the operator is killed after it, or its answer is lost. All end like one without a fault.

So do those that are suspended, resumed and deleted on their way, and those that report how far they are, fail for good and go
when their time is over. Runs of two rounds, other faults at every write, and long ones are in `make soak ONLY=operator`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ...support.cluster import Cluster
from ...support.crash_case import Case, Journey, every_write
from ...support.crash_journeys import DELETED, FAILED, TO_THE_END
from ...support.crash_oracle import CLEANED_TWICE, GONE, NOTHING, Outcome, differences, successes
from ...support.faults import Act, lose_answer

PARALLEL = 8
KILLED: tuple[Callable[[Case], Act], int] = (lambda case: case.kill, 2)
UNANSWERED: tuple[Callable[[Case], Act], int] = (lambda _: lose_answer, 1)
"""What strikes each write, and how often an operator is started then."""


@pytest.fixture(scope="module")
def strike(cluster: Cluster) -> Callable[..., list[str]]:
    """Strikes every write of a journey; where a run went another way than the calm one."""

    def run(
        folder: Path,
        journey: Journey,
        calm: Outcome,
        fault: tuple[Callable[[Case], Act], int],
        repeatable: Counter[str] = NOTHING,
    ) -> list[str]:
        act, starts = fault
        outcomes = every_write(cluster, folder, journey, calm, act, PARALLEL)
        assert len(outcomes) >= 6
        return differences(cluster, calm, outcomes, starts=starts, repeatable=repeatable)

    return run


@pytest.fixture(scope="module")
def calm(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How it goes when nothing happens."""
    outcome = Case(cluster, tmp_path_factory.mktemp("calm"), TO_THE_END).carry_through()
    assert (outcome.account.phase, outcome.account.restarts, outcome.starts) == ("Succeeded", 1, 1)
    assert (outcome.endings, len(outcome.ends)) == (["Unknown", "True"], 1)
    assert outcome.after_the_end == []
    return outcome


def test_killed_after_every_write(strike: Callable[..., list[str]], calm: Outcome, tmp_path: Path) -> None:
    found = strike(tmp_path, TO_THE_END, calm, KILLED)
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def deleted(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How a run that is suspended, resumed and deleted goes when nothing happens."""
    outcome = Case(cluster, tmp_path_factory.mktemp("deleted"), DELETED).carry_through()
    assert (outcome.account, outcome.starts, outcome.after_the_end) == (GONE, 1, [])
    assert successes(cluster)[outcome.namespace]["delete jobs"] >= 1
    return outcome


@pytest.mark.parametrize("fault", [KILLED, UNANSWERED], ids=["killed", "the answer is lost"])
def test_suspension_resumption_and_deletion(
    strike: Callable[..., list[str]],
    deleted: Outcome,
    tmp_path: Path,
    fault: tuple[Callable[[Case], Act], int],
) -> None:
    found = strike(tmp_path, DELETED, deleted, fault, CLEANED_TWICE)
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def failed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """How a run that reports, fails and goes when its time is over goes when nothing happens."""
    outcome = Case(cluster, tmp_path_factory.mktemp("failed"), FAILED).carry_through()
    assert (outcome.account.phase, outcome.endings) == ("Failed", ["Unknown", "False"])
    assert len(outcome.ends) == 1
    assert outcome.account.attempts == (("rollout", "InvalidPrompts", True),)
    assert '"step": 1' in outcome.account.figures
    assert (outcome.starts, outcome.after_the_end) == (1, [])
    assert successes(cluster)[outcome.namespace]["delete reflectiontrainings"] == 1
    methods = Counter(each.split(" ")[0] for each in outcome.writes[outcome.told_before :])
    assert (methods["PATCH"], methods["DELETE"]) == (1, 1)
    return outcome


@pytest.mark.parametrize("fault", [KILLED, UNANSWERED], ids=["killed", "the answer is lost"])
def test_progress_labels_an_end_for_good_and_the_time_after_it(
    strike: Callable[..., list[str]],
    failed: Outcome,
    tmp_path: Path,
    fault: tuple[Callable[[Case], Act], int],
) -> None:
    found = strike(tmp_path, FAILED, failed, fault)
    assert not found, "\n".join(found)


def test_every_answer_is_lost_once(strike: Callable[..., list[str]], calm: Outcome, tmp_path: Path) -> None:
    found = strike(tmp_path, TO_THE_END, calm, UNANSWERED)
    assert not found, "\n".join(found)
