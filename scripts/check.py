"""Every check of the project, the tests last: `make test`. Arguments choose some: `check.py lint types`.

A failed check does not hide the next one. The exit code is 0 only when all of them passed.
"""

from __future__ import annotations

import difflib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv/bin"
CRD = ROOT / "crds/reflectiontrainings.yaml"


def _passes(*command: str | Path) -> bool:
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def lint() -> bool:
    """Style and likely bugs."""
    return _passes(BIN / "ruff", "check", "--quiet", ".")


def formatting() -> bool:
    """The layout of the code."""
    return _passes(BIN / "ruff", "format", "--quiet", "--diff", ".")


def types() -> bool:
    """Strict types in the three packages."""
    return _passes(BIN / "mypy", "--no-error-summary")


def layers() -> bool:
    """Who may import whom."""
    result = subprocess.run(
        [BIN / "lint-imports"],
        cwd=ROOT,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if result.returncode:
        print(result.stdout)
    return result.returncode == 0


def crd() -> bool:
    """The committed CRD is the one that the types give."""
    result = subprocess.run(
        [BIN / "reflect", "crd"], cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE
    )
    committed = CRD.read_text() if CRD.exists() else ""
    if result.returncode == 0 and result.stdout == committed:
        return True
    name = str(CRD.relative_to(ROOT))
    changes = difflib.unified_diff(
        committed.splitlines(), result.stdout.splitlines(), name, "reflect crd", n=1, lineterm=""
    )
    print("\n".join(list(changes)[:40]))
    print(f"{name} is not what the types give: run `make crd` and commit it")
    return False


def docs() -> bool:
    """The committed reference pages and parts of the chart are those that the code gives."""
    return _passes(BIN / "python", "scripts/docs.py", "--check")


def tests() -> bool:
    """Unit and integration tests, three files at a time; pytest lists what it left out, and what took longest."""
    # In the order of tests/support/file_order.py; a file's tests share what they set up.
    # Three on two cores: many tests wait, for an outage to end, a deadline or an answer.
    lanes = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
    return _passes(BIN / "python", "-m", "pytest", *lanes, "--durations=40", "--durations-min=10")


CHECKS: dict[str, Callable[[], bool]] = {
    "lint": lint, "format": formatting, "types": types, "layers": layers, "crd": crd, "docs": docs, "tests": tests,
}  # fmt: skip


@contextmanager
def prebuilding() -> Iterator[None]:
    """Build the tests' servers meanwhile: minutes on a fresh machine, nothing afterwards. Whoever needs one waits for it."""
    # In a session of its own, so that it can give way to all others: see there.
    builder = subprocess.Popen(
        [BIN / "python", "-m", "tests.support.prebuild"],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(builder.pid, signal.SIGTERM)
        builder.wait()


def main(names: list[str]) -> int:
    """Run the named checks, or all."""
    if unknown := [name for name in names if name not in CHECKS]:
        print(f"unknown check {', '.join(unknown)}; there are {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    failed = []
    with prebuilding() if "tests" in (names or CHECKS) else nullcontext():
        for name in names or CHECKS:
            started = time.monotonic()
            print(f"== {name}: {(CHECKS[name].__doc__ or '').splitlines()[0]}", flush=True)
            if not CHECKS[name]():
                failed.append(name)
            print(
                f"== {name}: {'FAILED' if name in failed else 'ok'}, {time.monotonic() - started:.1f} s",
                flush=True,
            )
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
