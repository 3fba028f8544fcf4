"""A thousand runs that have nothing to do: what the operator writes, and what it takes.

    make bench ONLY=operator_idle           about 8 minutes on two cores, beside building Kubernetes

Writes build/bench/operator_idle.json. The runs wait for their first pods, which nothing here starts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from _records import metric, write
from _stand import Watched, requests_of_operator, stand
from operator_burst import burst

SETTLE_S = 20


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
        time.sleep(SETTLE_S)
        since = time.time()
        with Watched(where.operator.pid) as watched:
            time.sleep(arguments.seconds)
        requests = requests_of_operator(where.cluster, since)
    writes = [entry for entry in requests if entry["verb"] not in ("get", "list")]
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
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
