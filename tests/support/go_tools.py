"""Builds the Go programs that tests run against: real servers, pinned by a wrapper module in tests/tools/.

A wrapper is a folder with a go.mod that names the program's module (and requires or replaces what it needs) and the go.sum of
everything below it; it may hold a program of its own, the package ".". What is built is kept in the project's cache folder,
outside the repository, for the next checkout.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOOLS = Path(__file__).parents[1] / "tools"
OLDEST_GO = (1, 26)
_BUILD_LIMIT_S = 3600


class GoToolMissing(RuntimeError):
    """A sentence for the person at the terminal."""


class GoMissing(GoToolMissing):
    """This machine cannot build anything: a test that needs it is left out."""


def cache_folder() -> Path:
    """Where downloads and builds are kept: the Makefile's CACHE."""
    if chosen := os.environ.get("REFLECT_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "reflect-operator"


def go_tool(wrapper: str, package: str, *, ldflags: str = "-s -w", name: str = "") -> Path:
    """The program of a Go package, built unless it is in the cache already.

    Several processes may ask at once: one builds, the others wait for it.

    Args:
        wrapper: name of the wrapper module's folder in tests/tools/.
        package: import path of the main package.
        ldflags: what `go build -ldflags` gets.
        name: what the program is called; the last part of the package's path unless given.

    Raises:
        GoMissing: there is no Go that is new enough.
        GoToolMissing: the build failed.
    """
    module = TOOLS / wrapper
    folder = cache_folder() / "tools" / f"{wrapper}-{_key(module, package, ldflags)}"
    program = folder / (name or package.rsplit("/", 1)[-1])
    if program.exists():
        return program
    program.parent.mkdir(parents=True, exist_ok=True)
    with locked(program.with_suffix(".lock")):
        if not program.exists():
            _build(module, package, ldflags, program)
    return program


def _key(module: Path, package: str, ldflags: str) -> str:
    """Changes with whatever decides what is built."""
    digest = hashlib.sha256("\0".join([go_version(), package, ldflags]).encode())
    for file in sorted((module / "go.mod", module / "go.sum", *module.glob("*.go"))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def go_version() -> str:
    """The version of the Go of this machine, new enough to build.

    Raises:
        GoMissing: there is none.
    """
    found = "none"
    if shutil.which("go"):
        answer = subprocess.run(["go", "env", "GOVERSION"], check=False, text=True, capture_output=True)
        found = answer.stdout.strip() or "none"
    numbers = re.match(r"go(\d+)\.(\d+)", found)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_GO:
        oldest = ".".join(map(str, OLDEST_GO))
        raise GoMissing(f"no Go {oldest} or newer on PATH (found: {found}): https://go.dev/dl")
    return found


def _build(module: Path, package: str, ldflags: str, program: Path) -> None:
    """Build beside the target and rename: what is in the cache is whole."""
    unfinished = program.with_suffix(".new")
    command = ["nice", "-n", "10", "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    command.append("-gcflags=all=-dwarf=false")  # which the linker would only leave out again
    answer = subprocess.run(
        [*command, "-ldflags", ldflags, "-o", str(unfinished), package],
        cwd=module,
        # A compiler that collects less garbage: a sixth less work, for a few hundred megabytes.
        env={"GOGC": "400", **os.environ, "CGO_ENABLED": "0"},
        text=True,
        capture_output=True,
        timeout=_BUILD_LIMIT_S,
        check=False,
    )
    if answer.returncode:
        raise GoToolMissing(f"go build {package} in {module} failed:\n{answer.stderr[-4000:]}")
    unfinished.replace(program)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held by one process at a time; the kernel lets go of it when that process dies."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
