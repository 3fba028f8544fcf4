"""What a user waits for `reflect` before it says anything: --help, and the check of the example.

    make bench ONLY=command_line            seconds

The median of nine runs each, after one that warms the disk's cache. Writes build/bench/command_line.json.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _records import ROOT, metric, write

RUNS = 9
COMMANDS = {
    "reflect --help": ["--help"],
    "reflect validate": ["validate", "--local", "examples/countdown/reflectiontraining.yaml"],
}


def main() -> int:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=RUNS)
    runs: int = parser.parse_args().runs
    taken = {name: seconds(words, runs) for name, words in COMMANDS.items()}
    write(
        "command_line",
        [metric(name, statistics.median(each), "s", "<", 1) for name, each in taken.items()],
        {"seconds": taken},
    )
    return 0


def seconds(words: list[str], runs: int) -> list[float]:
    """How long the command took each time but the first."""
    found = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run(
            [Path(sys.executable).parent / "reflect", *words],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        found.append(time.perf_counter() - began)
    return found[1:]


if __name__ == "__main__":
    sys.exit(main())
