"""The decision carried out on this machine in the order that it demands: the status first, since it is the memory."""

from __future__ import annotations

import json

import pytest
from reflection_api.reasons import EventReason
from reflection_operator.local.cluster import LocalCluster
from reflection_operator.local.display import Display
from reflection_operator.local.processes import end_marked
from reflection_operator.local.records import Records, read_json
from reflection_operator.local.resource import accept, load
from reflection_operator.local.runner import LocalRun
from reflection_operator.settings import OperatorSettings
from rich.console import Console

from .loop import EXAMPLE


class Died(Exception):
    """What happens to a runner at this point."""


@pytest.fixture
def records(tmp_path):
    records = Records(tmp_path / "work")
    yield records
    end_marked(str(records.workdir.resolve()))


def carry_on(records):
    """What the same command does: the resource of the file with the status that is remembered."""
    settings = [f"spec.storage.uri={(records.workdir / 'storage').as_uri()}"]
    resource = accept(load(EXAMPLE, settings), records, EXAMPLE)
    LocalRun(resource, records, Display(Console(quiet=True)), OperatorSettings()).until_ended()


def remembered(records):
    """The place of the run in the stored status, and the reasons of the events that were told."""
    current = (read_json(records.resource).get("status") or {}).get("current") or {}
    told = records.events.read_text().splitlines() if records.events.exists() else []
    return (current.get("stage"), "startedAt" in current), [json.loads(line)["reason"] for line in told]


def test_what_is_done_is_in_the_status_before_it_is_done_and_told_afterwards(records, monkeypatch):
    seen = []

    def create(self, manifests):
        seen.append(remembered(records))
        raise Died

    monkeypatch.setattr(LocalCluster, "create", create)
    with pytest.raises(Died):
        carry_on(records)
    [(place, told)] = seen
    assert place == ("rollout", True)
    assert EventReason.ROLLOUT_JOB_CREATED not in told


def test_a_job_that_is_in_the_status_alone_is_made_by_the_next_runner(records, monkeypatch):
    made = []

    def create(self, manifests):
        made.append(next(item["metadata"]["name"] for item in manifests if item["kind"] == "Job"))
        raise Died

    monkeypatch.setattr(LocalCluster, "create", create)
    for _ in range(2):
        with pytest.raises(Died):
            carry_on(records)
    assert len(made) == 2
    assert made[0] == made[1], "the same attempt, which costs no restart"
