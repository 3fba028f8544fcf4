"""`make demo`: the countdown example from the first answer to the evaluation, on this machine.

It runs `reflect run` as anybody would, and adds what only a demo wants: what the machine had to give, and what the model's
reflections say before and after. Started again, it carries on, or says that all is done.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psutil
import pyarrow.parquet as pq
from reflection_api.evaluation import Contrast, EvaluationResult
from reflection_trainer.report.comparisons import contrasts
from reflection_trainer.train.family import dying_with_this_process

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SAMPLE_SECONDS = 1.0
INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main() -> int:
    """Run the example, write result.json, say what changed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--workdir", type=Path, default=ROOT / "build" / "demo", help="where everything is written"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (default: 0)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="passed on to `reflect run`; may be repeated",
    )
    arguments = parser.parse_args()
    workdir: Path = arguments.workdir.resolve()
    print(
        "reflect-operator demo: a 0.7M-parameter model learns to reflect on wrong Countdown answers "
        "(2 to 10 minutes on 2 cores)",
        flush=True,
    )
    code, used = run(workdir, arguments.seed, arguments.set)
    if code == 0:
        conclude(workdir, arguments.seed, used)
    return code


def run(workdir: Path, seed: int, overrides: list[str]) -> tuple[int, dict[str, float]]:
    """Start `reflect run` and watch its memory; returns its exit code, and seconds and peak memory of all calls so far."""
    command = [str(Path(sys.executable).parent / "reflect"), "run", str(HERE / "reflectiontraining.yaml")]
    command += ["--workdir", str(workdir), "--set", f"spec.storage.uri={(workdir / 'storage').as_uri()}"]
    command += ["--set", f"spec.training.seed={seed}"]
    for override in overrides:
        command += ["--set", override]
    started = time.monotonic()
    code, peak = watched(command)
    return code, add_up(workdir, time.monotonic() - started, peak)


def watched(command: list[str]) -> tuple[int, int]:
    """Run a command to its end; its exit code, and the most bytes of memory that it held.

    It does not outlive this process, however that ends: one that went on alone would keep the folder from the next call.
    """
    process = subprocess.Popen(command, preexec_fn=dying_with_this_process())
    peak = 0
    try:
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            time.sleep(SAMPLE_SECONDS)
    except KeyboardInterrupt:
        # The command gets this Ctrl-C and those that follow, and stops in order, or at once; here they have done their part.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.wait()
        return INTERRUPTED, peak
    return process.returncode, peak


def memory_of(pid: int) -> int:
    """Bytes that a process and its descendants hold, shared pages counted once."""
    total = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):  # it has just ended; the others count all the same
                total += process.memory_full_info().pss
    return total


def add_up(workdir: Path, seconds: float, peak: int) -> dict[str, float]:
    """Seconds and peak memory over this call and the interrupted ones before it."""
    file = workdir / "used.json"
    used: dict[str, float] = (
        json.loads(file.read_text()) if file.exists() else {"seconds": 0.0, "peakMemoryBytes": 0}
    )
    if not (workdir / "result.json").exists():  # a call that only says "done" adds nothing
        used = {"seconds": used["seconds"] + seconds, "peakMemoryBytes": max(used["peakMemoryBytes"], peak)}
        workdir.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(used))
    return used


def conclude(workdir: Path, seed: int, used: dict[str, float]) -> None:
    """Write build/demo/result.json and print what the reflections say before and after."""
    evaluation = next(workdir.glob("storage/*/*/round-1/evaluate"))
    evaluated = (evaluation / "result.json").read_bytes()
    result = json.loads(evaluated)
    result |= {
        "seeds": [seed],
        "seconds": round(used["seconds"], 1),
        "downloadSeconds": download_seconds(),
        "peakMemoryBytes": int(used["peakMemoryBytes"]),
    }
    target = workdir / "result.json"
    target.write_text(json.dumps(result, indent=2) + "\n")
    print("\nWhat changed: the most common reflection")
    for who in ("base", "trained"):
        print(f"  {who:<8} {most_common(evaluation.glob(f'{who}-second-*.parquet'))}")
    for name, figures in contrasts(EvaluationResult.model_validate_json(evaluated)):
        print(f"  The trained reflections against {name}: {words(figures)}")
    print(
        f"{used['seconds'] / 60:.1f} minutes, {used['peakMemoryBytes'] / 1e9:.1f} GB at most. Figures: {target}\n"
        "Again, on a cluster: the same file with other URIs, see docs/on-a-cluster.md"
    )


def download_seconds() -> float | None:
    """Seconds that `make setup` took to fetch and install packages on this machine."""
    file = ROOT / "build" / "setup.json"
    return json.loads(file.read_text()).get("downloadSeconds") if file.exists() else None


def most_common(transcripts: Iterable[Path]) -> str:
    """The most common reflection on the fixed failures: how common, and how often the retry after it is right."""
    rows = [row for file in transcripts for row in pq.read_table(file).to_pylist() if row["fixed"]]
    text, count = Counter(row["reflection"] for row in rows).most_common(1)[0]
    right = sum(row["retry_correct"] for row in rows if row["reflection"] == text)
    return f'"{text}" ({count:,} of {len(rows):,} reflections, {right / count:.0%} right after it)'


def words(contrast: Contrast) -> str:
    """A contrast as text."""
    low, high = contrast.interval
    return (
        f"{contrast.reflection:.3f} to {contrast.control:.3f}, {contrast.difference:+.3f} "
        f"[{low:+.3f}, {high:+.3f}], n = {contrast.samples:,}"
    )


if __name__ == "__main__":
    sys.exit(main())
