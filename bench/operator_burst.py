"""A thousand runs at once: how fast the operator takes them up, beside a bare client that writes the same objects.

    make bench ONLY=operator_burst                     about 6 minutes on two cores, beside building Kubernetes
    python bench/operator_burst.py --no-profile        half of that

Writes build/bench/operator_burst.json. API server, etcd, controllers, operator and clients share the machine's cores. The
operator has the packages of its image. A profiler slows it down: what it is busy with is from a second burst, all else from the
first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import httpx
from _measured_operator import shares_of_packages
from _records import metric, write
from _stand import (
    CORE,
    NAMESPACE,
    PODS,
    Cluster,
    Obj,
    Shares,
    Stand,
    Watched,
    at,
    at_once,
    entries,
    number_of,
    posted,
    requests_of_operator,
    run_object,
    runs_path,
    stand,
    until,
)  # fmt: skip

BARE = "bare"
KUEUE_PER_SECOND = 42.7
"""What Kueue reports for workloads: 15,000 in 351 s."""


def main() -> int:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument(
        "--profile",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write down what the operator is busy with, too",
    )
    arguments = parser.parse_args()
    count: int = arguments.runs
    with stand() as where:
        with Watched(where.operator.pid) as watched, Shares() as shares:
            taken = burst(where, count)
        requests = requests_of_operator(where.cluster)
        # The pods of the runs are still being made, and must not slow the bare client.
        until(lambda: number_of(where.cluster, PODS) == count, "pod of each run")
        with Shares() as bare_shares:
            bare = as_bare_client(where.cluster, count)
    kinds = Counter(f"{entry['verb']} {entry['objectRef']['resource']}" for entry in requests)
    ours, theirs = count / taken, count / bare
    write(
        "operator_burst",
        [
            metric("runs taken up per second", ours, "1/s", ">", KUEUE_PER_SECOND),
            metric("of the bare client's rate", ours / theirs, "ratio", ">=", 0.6),
            metric("requests per run", len(requests) / count, "requests", "<=", 8),
            metric("peak memory of the operator", watched.peak_bytes / 1e6, "MB", "<", 150),
        ],
        {
            "runs": count,
            "seconds": taken,
            "bareSeconds": bare,
            "processorSeconds": {"operator": shares.seconds, "bare client": bare_shares.seconds},
            "requests": dict(kinds.most_common()),
            "stated": {"runs per second of the bare client": f"{theirs:.1f}"},
        }
        | ({"profile": profile(count)} if arguments.profile else {}),
    )
    return 0


def profile(count: int) -> dict[str, float]:
    """What each package takes of the operator's working time in such a burst."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "profile"
        with stand(file) as where:
            burst(where, count)
            where.operator.stop()
            return shares_of_packages(file, where.operator.site)


def burst(where: Stand, count: int) -> float:
    """Seconds from the first request to create a run until each has its first Job and a status."""

    async def create(number: int, client: httpx.AsyncClient) -> None:
        await posted(client, runs_path(NAMESPACE), run_object(number))

    at_once(where.cluster, [partial(create, number) for number in range(count)])
    jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    until(lambda: number_of(where.cluster, jobs) == count, "Job of each run")
    until(lambda: all_have_a_status(where.cluster), "status of each run")
    return last_write(where.cluster) - first_request(where.cluster)


def all_have_a_status(cluster: Cluster) -> bool:
    """Whether each run is at its first stage."""
    runs = cluster.items(runs_path(NAMESPACE))
    return all(run.get("status", {}).get("current", {}).get("stage") == "rollout" for run in runs)


def first_request(cluster: Cluster) -> float:
    """When somebody began to create runs."""
    return min(
        at(entry)
        for entry in entries(cluster)
        if entry["verb"] == "create" and entry.get("objectRef", {}).get("resource") == "reflectiontrainings"
    )


def last_write(cluster: Cluster) -> float:
    """When the last run had both its first Job and its first status."""
    written: dict[tuple[str, str], float] = {}
    for entry in requests_of_operator(cluster):
        found = entry["objectRef"]
        first_job = entry["verb"] == "create" and found["resource"] == "jobs"
        status = entry["verb"] == "update" and found.get("subresource") == "status"
        if first_job or status:
            written.setdefault((found["resource"], found["name"]), at(entry, "stageTimestamp"))
    return max(written.values())


def as_bare_client(cluster: Cluster, count: int) -> float:
    """Seconds for a client without any thought to write the same: run, ConfigMap, Job, status and events."""
    cluster.create(f"{CORE}/namespaces", {"metadata": {"name": BARE}})
    written = f"{CORE}/namespaces/{NAMESPACE}"
    statuses = [run["status"] for run in cluster.items(runs_path(NAMESPACE))][:count]
    maps = [
        item for item in cluster.items(f"{written}/configmaps") if item["metadata"]["name"].startswith("run-")
    ]
    jobs = cluster.items(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs")
    events = [
        item
        for item in cluster.items(f"{written}/events")
        if item["involvedObject"]["kind"] == "ReflectionTraining"
    ]
    each = max(1, len(events) // count)

    async def write_all(number: int, client: httpx.AsyncClient) -> None:
        runs = runs_path(BARE)
        run = await posted(client, runs, run_object(number))
        await posted(client, f"{CORE}/namespaces/{BARE}/configmaps", copied(maps[number]))
        await posted(client, f"/apis/batch/v1/namespaces/{BARE}/jobs", copied(jobs[number]))
        answer = await client.patch(
            f"{runs}/{run['metadata']['name']}/status",
            json={"status": statuses[number]},
            headers={"Content-Type": "application/merge-patch+json"},
        )
        answer.raise_for_status()
        for event in events[number * each : (number + 1) * each]:
            copy = copied(event)
            copy["involvedObject"]["namespace"] = BARE
            await posted(client, f"{CORE}/namespaces/{BARE}/events", copy)

    return at_once(cluster, [partial(write_all, number) for number in range(count)])


def copied(obj: Obj) -> Obj:
    """An object to be created elsewhere."""
    kept = ("name", "labels", "annotations")
    metadata = {name: obj["metadata"][name] for name in kept if name in obj["metadata"]}
    copy = {name: value for name, value in obj.items() if name not in ("metadata", "status")}
    if obj.get("spec", {}).get("selector"):  # the API server makes a Job's own
        spec = {name: value for name, value in obj["spec"].items() if name != "selector"}
        template = spec["template"] | {"metadata": {"labels": labels_of_ours(spec)}}
        copy["spec"] = spec | {"template": template}
    return copy | {"metadata": metadata | {"namespace": BARE}}


def labels_of_ours(spec: Obj) -> Obj:
    """Those of a Job's pods that the API server did not put there."""
    labels = spec["template"]["metadata"]["labels"]
    generated = ("controller-uid", "job-name")
    return {name: value for name, value in labels.items() if not name.endswith(generated)}


if __name__ == "__main__":
    sys.exit(main())
