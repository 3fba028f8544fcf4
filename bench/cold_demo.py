"""`make demo` as a newcomer meets it: in a fresh clone, with nothing in any cache.

    make bench ONLY=cold_demo               10 to 20 minutes on two cores, 16 GB of disk while it runs

The clone holds what is committed. Where packages come from is this user's own configuration; what they are kept in is empty.
Writes build/bench/cold_demo.json: the set-up, which is nearly all downloads, is stated beside the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _records import ROOT, WORK, metric, write
from demo_seeds import CONTROLS

SCRATCH = WORK / "cold_demo"
OF_THIS_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTHONPATH", "UV_CACHE_DIR", "VIRTUAL_ENV")
"""What a `make bench` around this has set, and a newcomer's shell has not."""
DONE = "all is done already"


@dataclass(frozen=True)
class Call:
    """One `make demo`."""

    seconds: float
    output: str


def main() -> int:
    """Clone, run twice, write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help=f"leave the clone and its caches in {SCRATCH}")
    arguments = parser.parse_args()
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    clone = SCRATCH / "reflect-operator"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)  # noqa: S607 - whichever git the reader has
    environment = cold(dict(os.environ), SCRATCH)
    first, again = (make_demo(clone, environment) for _ in range(2))
    setup = json.loads((clone / "build/setup.json").read_text())
    result = json.loads((clone / "build/demo/result.json").read_text())
    write("cold_demo", figures(first, again, result), details(first, again, setup, result))
    if not arguments.keep:
        shutil.rmtree(SCRATCH)
    return 0


def cold(environment: dict[str, str], scratch: Path) -> dict[str, str]:
    """The environment with empty caches. HOME stays: it may hold where this user's packages come from."""
    kept = {name: value for name, value in environment.items() if name not in OF_THIS_MAKE}
    path = [part for part in kept.get("PATH", "").split(os.pathsep) if Path(part) != ROOT / ".venv/bin"]
    caches = {
        "REFLECT_CACHE": str(scratch / "cache"),
        "XDG_CACHE_HOME": str(scratch / "other-caches"),
    }
    return kept | caches | {"PATH": os.pathsep.join(path)}


def make_demo(clone: Path, environment: dict[str, str]) -> Call:
    """Run it to its end, with its output shown as it comes."""
    began = time.monotonic()
    lines = []
    command = ["make", "--no-print-directory", "demo"]
    with subprocess.Popen(
        command, cwd=clone, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode != 0:
        sys.exit(f"make demo failed with {process.returncode}; what it left is in {clone}")
    return Call(time.monotonic() - began, "".join(lines))


def figures(first: Call, again: Call, result: dict[str, Any]) -> list[dict[str, Any]]:
    """What the demo promises, each with its aim."""
    if DONE not in again.output:
        sys.exit(f'the second call does not say "{DONE}": it took {again.seconds:.0f} s')
    success = result["retrySuccess"]
    beside = first.seconds - result["downloadSeconds"]
    return [
        metric("seconds beside the set-up with its downloads", beside, "s", "<=", 900),
        metric("seconds of the second call", again.seconds, "s", "<=", 60),
        metric("peak memory", result["peakMemoryBytes"] / 1e9, "GB", "<=", 6),
        metric("retry success of the base model", success["base"], "fraction", ">=", 0.2),
        metric("retry success gain on fixed failures", success["change"], "fraction", ">=", 0.25),
        *(
            metric(f"reflection minus {name}, low end", result[key]["interval"][0], "fraction", ">", 0)
            for name, key in CONTROLS.items()
        ),
    ]


def details(first: Call, again: Call, setup: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """What the figures follow from, the set-up stated by itself."""
    return {
        "stated": {
            "set-up with its downloads": f"{setup['downloadSeconds']:.0f} s",
            "packages": f"{setup['packages']}, {setup['bytes'] / 1e9:.1f} GB",
        },
        "seconds": {"first": first.seconds, "again": again.seconds},
        "result": result,
    }


if __name__ == "__main__":
    sys.exit(main())
