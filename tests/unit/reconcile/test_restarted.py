"""A container verifier that ends while its stage is at work: the kubelet starts it again, and Ready says so."""

from __future__ import annotations

import pytest
from reflection_api.conditions import ConditionType
from reflection_api.stages import Stage
from reflection_api.status import Phase
from reflection_operator.reconcile.observed import PodPhase, Restarted, Terminated, Waiting

from .builders import crashed, cursor_of, decided, job, pod, resource, said_of, status_at, status_of

VERIFY = job(Stage.VERIFY)
CRASH = Terminated(3, "Error", "Traceback\nKeyError: 'MODEL'")
NAME = f"{VERIFY.name}-0-abcde"
LOG = f"see `kubectl logs -n ml {NAME} -c verifier --previous`"


def decision(*pods):
    return decided(resource(status_at(Stage.VERIFY)), [VERIFY], pods)


@pytest.mark.parametrize(
    ("restarted", "words"),
    [
        (
            Restarted("verifier", 1, CRASH),
            f"once; the last time it ended with exit code 3: KeyError: 'MODEL'; {LOG}",
        ),
        (
            Restarted("verifier", 12, Terminated(137, "OOMKilled")),
            f"12 times; the last time it was killed for using too much memory (exit 137, out of memory); {LOG}",
        ),
        (Restarted("verifier", 1200), f"1,200 times; {LOG}"),
    ],
)
def test_ready_says_how_often_and_how_it_ended(restarted, words):
    found = decision(pod(VERIFY, restarted=restarted))
    ready = said_of(found, ConditionType.READY)
    assert (ready.status, ready.reason) == ("True", "Progressing")
    assert ready.message == (
        f"round 1 of 1, verify; container verifier of pod {NAME} ended and was started again {words}"
    )
    assert (cursor_of(found), status_of(found).phase) == ((1, Stage.VERIFY, 1, 0), Phase.VERIFYING)
    assert (found.create, found.delete, found.events) == ((), (), ())


def test_also_while_it_waits_to_be_started_once_more():
    waiting = Waiting("CrashLoopBackOff", "back-off 5m0s", CRASH)
    ready = said_of(
        decision(pod(VERIFY, waiting=waiting, restarted=Restarted("verifier", 7, CRASH))), ConditionType.READY
    )
    assert (ready.status, "7 times" in ready.message) == ("True", True)


def test_the_one_that_was_started_most_often_is_named():
    many, few = (
        pod(VERIFY, index, restarted=Restarted("verifier", times)) for index, times in enumerate((5, 2))
    )
    for pods in ((few, many), (many, few)):
        message = said_of(decision(*pods), ConditionType.READY).message
        assert f"pod {many.name} ended and was started again 5 times" in message


def test_of_a_pod_that_has_ended_nothing_is_said():
    over = crashed(VERIFY, 143, disrupted="drained", restarted=Restarted("verifier", 3, CRASH))
    assert said_of(decision(over, pod(VERIFY, 1)), ConditionType.READY).message == "round 1 of 1, verify"


def test_a_name_and_words_that_are_hostile_stay_on_a_line():
    hostile = Restarted("v\x1b[31m\n" * 90, 10**40, Terminated(1, "Error", "\x1b]0;\x07" * 900))
    message = said_of(
        decision(pod(VERIFY, phase=PodPhase.RUNNING, restarted=hostile)), ConditionType.READY
    ).message
    assert message.isprintable()
    assert len(message.encode()) < 1000
