"""Any order of observations, any stage failing at any time, stale reads: what must hold whatever happens.

The machine plays a cluster, its users and a shell that may die between two steps. Looks may see Jobs, pods and the resource
each as they were many changes ago. In the end the faults stop, and the run must come to its end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from reflection_api.conditions import ConditionType
from reflection_api.stages import ROUND_STAGES, RUN_STAGES, Stage
from reflection_api.status import ReflectionTrainingStatus, Verdict
from reflection_operator.reconcile.conditions import condition, has_ended, is_true
from reflection_operator.reconcile.cursor import first_attempt, position
from reflection_operator.reconcile.decide import decide
from reflection_operator.reconcile.decision import Attempt, Decision

from .builders import resource
from .cluster import Cluster, Seen, step, work

AGES = st.just(0) | st.integers(0, 30)
PICK = st.integers(0, 1000)
EXIT_CODES = st.sampled_from([1, 2, 75, 134, 137, 139, 143] * 2 + [65, 70, 78])
LOOKS_TO_THE_END = 120


class Machine(RuleBasedStateMachine):
    """A run in a cluster where everything goes wrong."""

    @initialize(
        rounds=st.integers(1, 2),
        pods=st.integers(1, 2),
        restarts=st.integers(0, 3),
        deadline=st.sampled_from([None, None, 20_000]),
        pending=st.sampled_from([None, None, 3_000]),
        gate=st.sampled_from([None, None, 0.1, 0.5]),
        failures=st.sampled_from([0, 5, 5, 5]),
        queue=st.booleans(),
        suspend=st.sampled_from([False, False, False, True]),
        head_start=st.integers(0, 9),
    )
    def create(self, rounds, pods, restarts, deadline, pending, gate, failures, queue, suspend, head_start):
        spec = {
            "rounds": rounds,
            "rollout": {"workers": pods},
            "training": {"nodes": pods},
            "failurePolicy": {"maxRestarts": restarts},
            "evaluation": {"gates": {} if gate is None else {"minGain": gate}},
            "suspend": suspend,
            "activeDeadlineSeconds": deadline,
            "pendingDeadlineSeconds": pending,
        }
        run = resource(**{name: value for name, value in spec.items() if value is not None})
        metrics = {
            Stage.VERIFY: {"attempts": 8.0, "failures": float(failures)},
            Stage.EVALUATE: {"gain": 0.3, "firstTryChange": 0.0},
        }
        self.cluster = Cluster(run, queue=queue, metrics=metrics)
        self.stale = self.wiped = self.went_back = False
        self.lies = []
        self.newest_seen = 0
        self.look_again = timedelta(0)
        self.ended = None
        # So that faults meet the later stages as often as the first.
        self.nothing_goes_wrong_for_a_while(head_start)

    # Our side

    @rule(jobs_age=AGES, pods_age=AGES, resource_age=AGES, until=st.sampled_from([4, 4, 4, 0, 1, 2, 3]))
    def look(self, jobs_age, pods_age, resource_age, until):
        """A look at anything old, by a shell that may die after `until` steps."""
        seen = self.cluster.look(jobs_age, pods_age, resource_age)
        decision = decide(seen.run)
        self.check_decision(seen, decision)
        others = [*self.cluster.live_jobs(), *self.cluster.unended_pods()]
        back = seen.jobs_version < self.newest_seen
        self.newest_seen = max(self.newest_seen, seen.jobs_version)
        for attempt in self.cluster.act(seen, decision, until=until):
            self.stale = self.stale or not seen.fresh
            self.went_back = self.went_back or back
            assert not (seen.fresh and others), f"{attempt} was created beside {others}"
            self.check_input(attempt)
        self.check_terminal()
        self.look_again = decision.look_again or timedelta(0)
        if seen.fresh and self.cluster.resource.status and len(self.alive()) <= 1:
            self.stale = self.wiped = self.went_back = False  # what was lost or done too late is made up for

    @rule()
    def look_when_it_is_time(self):
        self.cluster.pass_time(self.look_again)
        self.look(0, 0, 0, 4)

    # The cluster's side. Few rules with many variants: the machine picks its rules from a small part of them at a time.

    @rule(times=st.integers(1, 5))
    def nothing_goes_wrong_for_a_while(self, times):
        for _ in range(times):
            self.look_when_it_is_time()
            work(self.cluster)

    @rule(pick=PICK, code=EXIT_CODES, reason=st.sampled_from(["Error", "Error", "OOMKilled"]))
    def a_pod_crashes(self, pick, code, reason):
        if pods := self.pods():
            self.cluster.crash_pod(_pick(pods, pick), code, reason=reason)

    @rule(pick=PICK)
    def a_pod_is_taken_away(self, pick):
        if pods := self.pods():
            self.cluster.crash_pod(_pick(pods, pick), 137, disrupted="PreemptionByScheduler")

    @rule(
        pick=PICK,
        what=st.sampled_from(["starts", "succeeds", "stops", "is collected", "loses or gets its quota"]),
    )
    def a_pod(self, pick, what):
        match what:
            case "starts":
                self.cluster.start_pods()
            case "succeeds":
                if pods := self.pods():
                    self.cluster.finish_pod(_pick(pods, pick))
            case "stops":
                self.cluster.end_stopped_pods()
            case "is collected":
                self.cluster.forget_ended_pods()
            case _:
                self.change_quota(pick)

    @rule(seconds=st.sampled_from([1, 9, 60, 600, 7_200, -30, -7_200]))
    def the_clock_jumps(self, seconds):
        self.cluster.pass_time(timedelta(seconds=seconds))

    def pods(self):
        """Pods that can still fail; where there are none, the run first goes on until there are."""
        if not self.cluster.unended_pods():
            self.cluster.admit()
            self.look_when_it_is_time()
            self.cluster.start_pods()
        return self.cluster.unended_pods()

    def change_quota(self, pick):
        if any(job.suspended for job in self.cluster.live_jobs()):
            self.cluster.admit()
        elif jobs := self.cluster.live_jobs():
            self.cluster.hold(_pick(jobs, pick))

    # The users' side

    @rule(pick=PICK, how=st.sampled_from(["background", "foreground", "orphan"]))
    def a_job_is_deleted_by_hand(self, pick, how):
        if self.cluster.jobs:
            self.cluster.delete_job(_pick(list(self.cluster.jobs), pick), how=how)

    @rule(until_it_rests=st.booleans())
    def suspended_or_resumed(self, until_it_rests):
        suspend = until_it_rests or not self.cluster.resource.spec.suspend
        self.cluster.change_spec(suspend=suspend)
        if until_it_rests:
            self.comes_to_rest()
            self.cluster.change_spec(suspend=False)

    def comes_to_rest(self):
        """Nothing has to succeed for that: pods only have to stop when they are told to, and orphans by themselves."""
        for _ in range(4):
            self.look(0, 0, 0, 4)
            self.cluster.end_stopped_pods()
            self.cluster.end_orphans()
        assert not self.cluster.live_jobs()
        assert not self.cluster.unended_pods()
        conditions = self.cluster.resource.status.conditions
        assert is_true(conditions, ConditionType.SUSPENDED) or has_ended(conditions)

    @rule()
    def the_status_is_wiped(self):
        self.cluster.write_status(None)
        self.ended = None
        self.wiped = True

    @rule(pick=PICK, forged=st.sampled_from(["stage", "stage", "success", "failure"]))
    def something_untrue_is_written_into_the_status(self, pick, forged):
        """Another stage, or an end that is none: the run is not further for it than it is, or than its Jobs alone show."""
        self.look(0, 0, 0, 1)
        status, newest = (
            self.cluster.resource.status,
            max(self.cluster.jobs.values(), key=position, default=None),
        )
        at_work = newest is not None and newest.live and position(newest) == position(status.current)
        # A Job that was seen late may have been complete when its attempt was given up: then the Jobs are ahead of the status.
        run = self.cluster.look().run
        lost = decide(replace(run, resource=run.resource.model_copy(update={"status": None}))).status
        # An end that can be true is believed.
        if (
            has_ended(status.conditions)
            or has_ended(lost.conditions)
            or (forged != "stage" and (not at_work or newest.stage is Stage.REPORT))
        ):
            return
        self.lies.append(self.forged(status, pick, forged))
        self.cluster.write_status(self.lies[-1])
        self.wiped = True
        self.look(0, 0, 0, 1 + pick % 4)
        found = self.cluster.resource.status
        assert not has_ended(found.conditions)
        assert position(found.current)[:2] <= max(position(status.current)[:2], position(lost.current)[:2])
        assert newest is None or position(found.current) >= position(newest)

    def forged(self, status, pick, forged):
        at = status.current
        if forged == "stage":
            others = [stage for stage in RUN_STAGES if stage is not at.stage]
            return status.model_copy(update={"current": first_attempt(at.round, _pick(others, pick))})
        verdict = Verdict(succeeded=forged == "success", reason="Completed", message="so they say")
        conditions = [
            each.model_copy(update={"status": str(verdict.succeeded)})
            if each.type == ConditionType.SUCCEEDED
            else each
            for each in status.conditions
        ]
        return status.model_copy(update={"conditions": conditions, "verdict": verdict})

    # What must hold

    def check_decision(self, seen: Seen, decision: Decision) -> None:
        run = seen.run
        assert decide(run) == decision, "the same input gave another decision"
        status = decision.status
        assert status is not None
        assert len(decision.create) <= 1
        if decision.create:
            assert not any(job.live for job in run.jobs), "created beside a Job that is seen to be alive"
            assert all(pod.ended for pod in run.pods), "created beside a pod that is seen to run"
            assert not run.resource.spec.suspend, "created while suspended"
        assert decision.look_again is not None or has_ended(status.conditions), (
            "nothing says when to look again"
        )
        assert decision.look_again is None or decision.look_again >= timedelta(seconds=1)
        text = status.to_json()
        assert len(text.encode()) <= 10_000
        assert ReflectionTrainingStatus.model_validate_json(text) == status, (
            "the status is not what is read back"
        )
        kinds = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)
        assert sum(is_true(status.conditions, kind) for kind in kinds) == 1, (
            "kstatus would not know what to say"
        )
        before = run.resource.status
        # A look at the resource as it was may see them, too.
        if before and has_ended(before.conditions) and before not in self.lies:
            assert _succeeded(status) == _succeeded(before), "a terminal condition changed"
            assert not decision.create
        self.check_repeated(seen, decision, status)

    def check_repeated(self, seen: Seen, decision: Decision, status: ReflectionTrainingStatus) -> None:
        """The shell wrote the status, sees nothing of what it did, and decides again."""
        run = seen.run.resource.model_copy(update={"status": status})
        again = decide(type(seen.run)(run, seen.run.jobs, seen.run.pods, None, seen.run.now))
        assert again.status == status, "the status does not settle"
        assert again.create == decision.create
        assert again.events == (), "an event is told twice"

    def check_input(self, attempt: Attempt) -> None:
        done = self.cluster.completed
        before = [(number, stage) for number in range(1, attempt.round) for stage in ROUND_STAGES]
        if attempt.stage is Stage.REPORT:
            before.append((attempt.round, Stage.VERIFY))
            evaluated = (attempt.round, Stage.EVALUATE) in done
            assert evaluated or self.cluster.metrics[Stage.VERIFY]["failures"] == 0, "a report of nothing"
        else:
            earlier = ROUND_STAGES[: ROUND_STAGES.index(attempt.stage)]
            before += [(attempt.round, stage) for stage in earlier]
        assert done.issuperset(before), f"{attempt} was created before {set(before) - done} was complete"

    def check_terminal(self) -> None:
        status = self.cluster.resource.status
        if status and has_ended(status.conditions):
            now = _succeeded(status)
            assert self.ended in (None, now), "a run ended twice"
            self.ended = now
        else:
            assert self.ended is None, "a run went on after its end"

    @invariant()
    def one_attempt_at_a_time(self):
        """Never two live Jobs for one stage; and never two attempts of anything that fresh looks created.

        Where the status is lost and the Jobs are read late, nothing is left that knows of the attempt at work. And where an
        attempt was given up and its Job is not deleted yet, who sees the Jobs as they were before an earlier look takes it for
        gone: no look of the operator goes back, and the first of a new process reads what is.
        """
        if not hasattr(self, "cluster") or (self.stale and (self.wiped or self.went_back)):
            return
        live = Counter((job.round, job.stage) for job in self.cluster.live_jobs())
        assert not live or max(live.values()) == 1, f"side by side: {live}"
        if self.stale:
            return
        assert len(self.alive()) <= 1, f"side by side: {self.alive()}"

    def alive(self):
        """The Jobs that are at work or have a pod that is."""
        jobs = {job.uid for job in self.cluster.live_jobs()}
        return jobs | {pod.job_uid for pod in self.cluster.unended_pods()}

    def teardown(self) -> None:
        if not hasattr(self, "cluster"):
            return
        self.cluster.queue = False
        self.cluster.change_spec(suspend=False)
        for _ in range(LOOKS_TO_THE_END):
            self.cluster.admit()
            decision = step(self.cluster)
            if decision.status and has_ended(decision.status.conditions) and not decision.delete:
                break
            assert decision.look_again is not None
            self.cluster.pass_time(decision.look_again)
            if not decision.create:
                work(self.cluster)
        status = self.cluster.resource.status
        assert status is not None
        assert has_ended(status.conditions), f"the run never ends: {status.to_json()}"
        assert not self.cluster.live_jobs(), "something is still alive after the end"
        self.check_terminal()


def _pick(things, number):
    return things[number % len(things)]


def _succeeded(status):
    found = condition(status.conditions, ConditionType.SUCCEEDED)
    return found.status, found.reason, found.message, found.last_transition_time


Machine.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestMachine = Machine.TestCase
