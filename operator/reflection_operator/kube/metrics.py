"""What the operator counts about itself, for Prometheus. Few labels, and none with a name of a run in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_STAGE_BUCKETS = (10, 30, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
_RECONCILE_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10)


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "reflect_api_requests",
            "Requests to the API server.",
            ["verb", "kind", "code"],
            registry=self.registry,
        )
        self._reconcile = Histogram(
            "reflect_reconcile_seconds",
            "Time of one look at a run, with what followed from it.",
            buckets=_RECONCILE_BUCKETS,
            registry=self.registry,
        )
        self._errors = Counter(
            "reflect_reconcile_errors",
            "Looks at a run that failed and are repeated.",
            ["kind"],
            registry=self.registry,
        )
        self._stages = Histogram(
            "reflect_stage_seconds",
            "Time from the first attempt at a stage to its end.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=self.registry,
        )
        self._restarts = Counter(
            "reflect_restarts", "Restarts of stages.", ["stage", "reason"], registry=self.registry
        )
        self._trainings = Gauge(
            "reflect_trainings",
            "ReflectionTrainings by what they are doing.",
            ["phase"],
            registry=self.registry,
        )
        self._watch_age = Gauge(
            "reflect_watch_age_seconds",
            "Time since a watch was last heard of; the API server sends something every minute.",
            ["kind"],
            registry=self.registry,
        )
        self._leader = Gauge(
            "reflect_leader", "1 while this is the operator that acts.", registry=self.registry
        )
        self._reports = Counter(
            "reflect_progress_reports",
            "Reports of progress by pods, by what they were answered.",
            ["code"],
            registry=self.registry,
        )
        self._depth = Gauge("reflect_queue_depth", "Runs that wait to be looked at.", registry=self.registry)

    def request(self, verb: str, kind: str, code: int) -> None:
        self._requests.labels(verb, kind, str(code)).inc()

    def reconciled(self, seconds: float) -> None:
        self._reconcile.observe(seconds)

    def failed(self, kind: str) -> None:
        self._errors.labels(kind).inc()

    def stage_ended(self, stage: str, seconds: float) -> None:
        self._stages.labels(stage).observe(max(0.0, seconds))

    def restarted(self, stage: str, reason: str) -> None:
        self._restarts.labels(stage, reason).inc()

    def reported(self, code: int) -> None:
        self._reports.labels(str(code)).inc()

    def leading(self, value: bool) -> None:
        self._leader.set(value)

    def queue_depth(self, depth: Callable[[], float]) -> None:
        self._depth.set_function(depth)

    def described(self) -> list[tuple[str, tuple[str, ...], str]]:
        """Name, labels and meaning of each."""
        every = (
            self._requests, self._reconcile, self._errors, self._stages, self._restarts, self._trainings, self._watch_age,
            self._leader, self._reports, self._depth,
        )  # fmt: skip
        found = [(next(iter(metric.describe())), metric._labelnames) for metric in every]  # noqa: SLF001
        return [
            (each.name + ("_total" if each.type == "counter" else ""), labels, each.documentation)
            for each, labels in found
        ]

    def text(self, phases: Mapping[str, int], watch_ages: Mapping[str, float]) -> bytes:
        """Everything in Prometheus' own words."""
        self._trainings.clear()
        for phase, count in phases.items():
            self._trainings.labels(phase).set(count)
        for kind, age in watch_ages.items():
            self._watch_age.labels(kind).set(age)
        return generate_latest(self.registry)
