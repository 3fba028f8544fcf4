"""Every built-in verifier over many items, through the command that `reflect verify` starts: items per second, time, memory.

    make bench ONLY=verify                  about ten minutes on two cores
    python bench/verify.py --only code --share 0.1

Each verifier judges a quarter, a half and all of its items, right and wrong ones by turns. There are so many that what it takes
to start does not hide what an item takes. Writes build/bench/verify.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from _records import metric, write

MANY, FEW = 100_000, 1_000

Pair = tuple[str, dict[str, Any]]


class Case(NamedTuple):
    """A verifier, how many items it gets, and the rate that it should reach."""

    items: int
    aim: float
    make: Callable[[int], Pair]
    """A completion and a row; the even ones are right."""


def countdown(n: int) -> Pair:
    """Two numbers and their product."""
    left, right = n % 97 + 2, n % 89 + 2
    target = left * right + n % 2
    return f"So I multiply.\n<answer>{left} * {right}</answer>", {"nums": [left, right], "target": target}


def exact(n: int) -> Pair:
    """A word."""
    return f"city {n}", {"answer": f"city {n + n % 2}"}


def function_call(n: int) -> Pair:
    """One call with two parameters, in tags."""
    call = {"name": "area", "arguments": {"base": n, "height": n % 7 + n % 2}}
    wanted = {"name": "area", "arguments": {"base": n, "height": n % 7}}
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>", {
        "answers": [wanted],
        "tools": [{"name": "area"}],
    }


def json_schema(n: int) -> Pair:
    """A small object."""
    schema = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
        "required": ["id"],
    }
    return f"```json\n{json.dumps({'id': str(n) if n % 2 else n, 'name': 'x'})}\n```", {"schema": schema}


def mathematics(n: int) -> Pair:
    """A fraction in a box."""
    return f"We get $x = {n}$, so the answer is \\boxed{{\\frac{{{n + n % 2}}}{{7}}}}.", {"answer": f"{n}/7"}


def regex(n: int) -> Pair:
    """A date."""
    return f"2026-{n % 12 + 1:02}-{'x' if n % 2 else n % 28 + 1:0>2}", {"pattern": r"\d{4}-\d{2}-\d{2}"}


def code(n: int) -> Pair:
    """A small function and three tests."""
    program = f"def f(xs):\n    return sorted(set(xs))[: {n + n % 2}]"
    tests = [
        f"assert f(list(range(3000))) == list(range({n}))",
        "assert f([]) == []",
        "assert f([1, 1])[:1] in ([], [1])",
    ]
    return f"```python\n{program}\n```", {"tests": tests}


def reasoning_gym(n: int) -> Pair:
    """An entry of basic_arithmetic as reasoning-gym makes it."""
    question = f"Calculate {n} + {n + 1}."
    metadata = {"source_dataset": "basic_arithmetic", "source_index": n, "expression": f"{n} + {n + 1}"}
    entry = {"question": question, "answer": str(2 * n + 1), "metadata": metadata}
    return f"<answer>{2 * n + 1 + n % 2}</answer>", {"entry": entry}


CASES = {
    "code": Case(FEW, 20, code),
    "countdown": Case(MANY, 10_000, countdown),
    "exact": Case(MANY, 10_000, exact),
    "function_call": Case(MANY, 5_000, function_call),
    "json_schema": Case(MANY, 1_000, json_schema),
    "math": Case(MANY, 200, mathematics),
    "reasoning_gym": Case(MANY, 200, reasoning_gym),
    "regex": Case(MANY, 10_000, regex),
}


OWN_PEAK = """
import re, sys
from reflection_trainer.verify.__main__ import main
code = main(sys.argv[1:])
print("own peak", re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1], file=sys.stderr)
sys.exit(code)
"""
"""What `python -m reflection_trainer.verify` does, and then how much memory that process itself had, in KiB."""


class Run(NamedTuple):
    """What judging a number of items took."""

    items: int
    seconds: float
    own_megabytes: float
    """At most, of the process that reads and writes."""
    largest_megabytes: float
    """At most, of the largest of its processes: some verifiers judge in others, which may be larger than it."""


def main() -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=sorted(CASES), nargs="+", default=sorted(CASES))
    parser.add_argument("--share", type=float, default=1.0, help="of the items, for a quick look")
    arguments = parser.parse_args()
    runs = {name: measure(name, CASES[name], arguments.share) for name in arguments.only}
    metrics = [figure for name in runs for figure in figures(name, runs[name])]
    write(
        "verify", metrics, {"runs": {name: [run._asdict() for run in found] for name, found in runs.items()}}
    )
    return 0


def measure(name: str, case: Case, share: float) -> list[Run]:
    """A quarter, a half and all of the items."""
    runs = [judge(name, case, max(4, int(case.items * share * part))) for part in (0.25, 0.5, 1.0)]
    last = runs[-1]
    print(
        f"{name:14} {last.items:8,} items {last.seconds:8.1f} s {last.items / last.seconds:10,.0f}/s"
        f" {last.own_megabytes:6.0f} MB, largest process {last.largest_megabytes:.0f} MB",
        flush=True,
    )
    return runs


def judge(name: str, case: Case, count: int) -> Run:
    """Start the command, and check that it found what is right."""
    with (
        tempfile.TemporaryFile("w+b") as items,
        tempfile.TemporaryFile("w+b") as verdicts,
        tempfile.TemporaryFile("w+") as words,
    ):
        for line in lines(case, count):
            items.write(line)
        items.seek(0)
        command = [sys.executable, "-c", OWN_PEAK, "--verifier", name]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=items, stdout=verdicts, stderr=words)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        verdicts.seek(0)
        correct = sum(json.loads(line)["correct"] for line in verdicts)
        words.seek(0)
        own = re.search(r"own peak (\d+)", words.read())
    if process.returncode or own is None or correct != (count + 1) // 2:
        raise SystemExit(
            f"{name}: exit {process.returncode}, {correct} of {count} right, not {(count + 1) // 2}"
        )
    return Run(count, seconds, int(own[1]) / 1024, usage.ru_maxrss / 1024)


def lines(case: Case, count: int) -> Iterator[bytes]:
    """The items as JSON lines."""
    for n in range(count):
        completion, row = case.make(n)
        yield json.dumps({"id": f"item-{n}", "completion": completion, "row": row}).encode() + b"\n"


def figures(name: str, runs: list[Run]) -> list[dict[str, Any]]:
    """Rate, linearity and growth of memory."""
    quarter, half, whole = runs
    second_half = (whole.seconds - half.seconds) / (whole.items - half.items)
    second_quarter = (half.seconds - quarter.seconds) / (half.items - quarter.items)
    growth = max(
        whole.own_megabytes - quarter.own_megabytes, whole.largest_megabytes - quarter.largest_megabytes
    )
    return [
        metric(f"{name}: items per second", whole.items / whole.seconds, "1/s", ">=", CASES[name].aim),
        metric(
            f"{name}: time per item, second half over second quarter",
            second_half / second_quarter,
            "",
            "<=",
            1.5,
        ),
        metric(f"{name}: memory, all items over a quarter of them", growth, "MB", "<=", 32),
    ]


if __name__ == "__main__":
    sys.exit(main())
