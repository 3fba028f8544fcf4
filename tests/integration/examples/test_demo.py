"""`make demo` as a newcomer runs it: real vLLM, real training, and what it must show."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
MIN_GAIN, MIN_BASE = 0.25, 0.2
MAX_BYTES = 6e9
MAX_SECONDS, MAX_SECONDS_AGAIN = 900, 60
"""The first of processor time: other tests run beside this one, and bench/cold_demo.py measures how long a reader waits."""
COMPARISONS = (
    "firstTry", "secondTry", "retrySuccess", "freshTry", "shuffled", "plainRetry", "genericReflection", "swappedReflection",
)  # fmt: skip
AGAINST = {
    "reflectionAgainstFresh": "a fresh try",
    "reflectionAgainstShuffled": "reflections on other questions",
    "reflectionAgainstPlain": "being asked again with as many tokens",
    "reflectionAgainstGeneric": "a general sentence",
    "reflectionAgainstBase": "the base model's reflections",
}
"""The controls, each of which the reflections must beat, and how the output names them."""
COMPARED = {"base", "trained", "change", "interval", "pValue", "questions", "samples"}

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.training, pytest.mark.timeout(1800)]


def demo(countdown: Path, workdir: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(countdown / "demo.py"), "--workdir", str(workdir)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, countdown: Path) -> tuple[Path, str, dict[str, Any]]:
    """Working folder, output and result of a finished demo."""
    workdir = tmp_path_factory.mktemp("demo")
    before = _processor_seconds()
    output = demo(countdown, workdir)
    assert _processor_seconds() - before <= MAX_SECONDS
    return workdir, output, json.loads((workdir / "result.json").read_text())


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_model_learns_to_reflect(shown: tuple[Path, str, dict[str, Any]]) -> None:
    _, _, result = shown
    retry = result["retrySuccess"]
    assert retry["base"] >= MIN_BASE
    assert retry["change"] >= MIN_GAIN
    assert retry["interval"][0] > 0
    for control in AGAINST:
        assert result[control]["reflection"] == pytest.approx(retry["trained"], abs=0.01)
        assert result[control]["interval"][0] > 0, control
    assert result["reflectionGivenToBase"]["interval"][0] > 0, "whoever retries"


def test_the_result_holds_what_it_promises(shown: tuple[Path, str, dict[str, Any]]) -> None:
    workdir, _, result = shown
    assert all(result[name].keys() == COMPARED for name in COMPARISONS)
    [stored] = workdir.glob("storage/*/*/round-1/evaluate/result.json")
    dataset = json.loads((stored.parents[1] / "verify/manifest.json").read_text())
    assert dataset["provenance"]["sampling"]["engine"] == "vllm"
    own = {"seeds", "seconds", "downloadSeconds", "peakMemoryBytes"}
    assert {key: value for key, value in result.items() if key not in own} == json.loads(stored.read_text())
    assert result["seeds"] == [0]
    assert result["seconds"] > 0
    assert 5e8 < result["peakMemoryBytes"] <= MAX_BYTES
    setup = ROOT / "build/setup.json"
    took = json.loads(setup.read_text())["downloadSeconds"] if setup.exists() else None
    assert result["downloadSeconds"] == took


def test_it_says_what_changed(shown: tuple[Path, str, dict[str, Any]]) -> None:
    _, output, result = shown
    assert f"{result['retrySuccess']['change']:+.3f}" in output
    assert "the most common reflection" in output
    for key, control in AGAINST.items():
        difference = f"{result[key]['difference']:+.3f}"
        assert re.search(rf"The trained reflections against {control}: .* {re.escape(difference)} ", output)
    assert "Traceback" not in output


def test_the_second_time_all_is_done(shown: tuple[Path, str, dict[str, Any]], countdown: Path) -> None:
    workdir, _, _ = shown
    before = {path: path.stat().st_mtime_ns for path in (workdir / "storage").rglob("*") if path.is_file()}
    result = (workdir / "result.json").read_bytes()
    started = time.monotonic()
    assert "all is done already" in demo(countdown, workdir)
    assert time.monotonic() - started < MAX_SECONDS_AGAIN
    after = {path: path.stat().st_mtime_ns for path in (workdir / "storage").rglob("*") if path.is_file()}
    assert after == before
    assert (workdir / "result.json").read_bytes() == result
