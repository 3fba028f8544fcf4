"""From the end of a Job to the next one, with many runs under way.

    make bench ONLY=operator_latency        about 4 minutes on two cores, beside building Kubernetes

Writes build/bench/operator_latency.json. Times are the API server's: from its answer to the write that completes a Job to the
request that creates the next Job of that run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from _records import metric, write
from _stand import NAMESPACE, USER, Cluster, at, entries, number_of, stand, until
from operator_burst import burst

from tests.support.kubelet import End, Kubelet, stage_of


def main() -> int:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--per-second", type=float, default=5.0, help="Jobs that end (default: 5)")
    arguments = parser.parse_args()
    with stand() as where:
        burst(where, arguments.runs)
        end_rollouts(where.cluster, arguments.per_second)
        jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
        until(lambda: number_of(where.cluster, jobs) >= 2 * arguments.runs, "verify Job of each run")
        latencies = sorted(found_latencies(where.cluster))
    if len(latencies) < arguments.runs:
        sys.exit(f"only {len(latencies)} of {arguments.runs} Jobs were found in the audit log")
    cuts = statistics.quantiles(latencies, n=100)
    write(
        "operator_latency",
        [
            metric("median from Job to Job", cuts[49], "s", "<=", 0.2),
            metric("99 of 100 within", cuts[98], "s", "<=", 1),
        ],
        {
            "runs": arguments.runs,
            "jobsPerSecond": arguments.per_second,
            "slowest": latencies[-1],
            "seconds": latencies,
        },
    )
    return 0


def end_rollouts(cluster: Cluster, per_second: float) -> None:
    """Let the pods of the first stage start, and then end one after the other."""
    kubelet = Kubelet(cluster, NAMESPACE, script=lambda _: None)
    kubelet.tick()
    pods = [pod for pod in kubelet.pods() if stage_of(pod) == "rollout"]
    began = time.monotonic()
    for number, pod in enumerate(pods):
        time.sleep(max(0.0, began + number / per_second - time.monotonic()))
        kubelet.end(pod, End())


def found_latencies(cluster: Cluster) -> list[float]:
    """Seconds, of each run whose second Job was created."""
    ended: dict[str, float] = {}
    latencies = []
    for entry in entries(cluster):
        found = entry.get("objectRef", {})
        if found.get("resource") != "jobs" or found.get("namespace") != NAMESPACE:
            continue
        name = found.get("name", "")
        if found.get("subresource") == "status" and name.endswith("-rollout-1"):
            ended[name.removesuffix("-rollout-1")] = at(entry, "stageTimestamp")
        run = name.removesuffix("-verify-1")
        created = entry["verb"] == "create" and entry["user"].get("username") == USER
        if created and name.endswith("-verify-1") and run in ended:
            latencies.append(at(entry) - ended[run])
    return latencies


if __name__ == "__main__":
    sys.exit(main())
