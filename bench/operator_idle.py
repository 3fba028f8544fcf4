"""A thousand runs that have nothing to do: what the operator writes, and what it takes.

    make bench ONLY=operator_idle           five minutes of waiting, after a thousand runs have been taken up

Writes build/bench/operator_idle.json. The runs wait for their first pods, which nothing here starts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import Any

from _records import metric, write
from _stand import PODS, Stand, Watched, at, number_of, requests_of_operator, stand, until
from operator_burst import burst

SETTLE_S = 20
"""Without a write for so long nothing is left to be done."""


def main() -> int:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=300, help="how long nothing happens (default: 300)")
    arguments = parser.parse_args()
    with stand() as where:
        burst(where, arguments.runs)
        # Kubernetes' own controller makes their pods long after the last Job was created.
        until(lambda: number_of(where.cluster, PODS) == arguments.runs, "pod of each run")
        until(lambda: not writes_since(where, time.time() - SETTLE_S), "time without writes")
        since = time.time()
        with Watched(where.operator.pid) as watched:
            time.sleep(arguments.seconds)
        requests = requests_of_operator(where.cluster, since)
        writes = writes_since(where, since)
    write(
        "operator_idle",
        [
            metric("writes other than the Lease", len(writes), "writes", "<=", 0),
            metric("peak memory", watched.peak_bytes / 1e6, "MB", "<", 150),
            metric("share of a processor", watched.cpu_seconds / arguments.seconds, "processors", "<=", 0.05),
        ],
        {
            "runs": arguments.runs,
            "seconds": arguments.seconds,
            "requests": dict(
                Counter(f"{entry['verb']} {entry['objectRef']['resource']}" for entry in requests)
            ),
            "written": [f"{at(entry) - since:.0f} s: {entry['objectRef']['name']}" for entry in writes[:20]],
        },
    )
    return 0


def writes_since(where: Stand, since: float) -> list[dict[str, Any]]:
    """The operator's requests that change something."""
    return [
        entry for entry in requests_of_operator(where.cluster, since) if entry["verb"] not in ("get", "list")
    ]


if __name__ == "__main__":
    sys.exit(main())
