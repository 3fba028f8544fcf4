"""Makes .venv from the lock files: `make setup`. Needs only the standard library of Python 3.11.

Running it again is instant: .venv remembers from which inputs it was made. It may be stopped at any moment, the next run
carries on, because what was downloaded stays in the cache folder outside the repository.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
UV = VENV / "bin/uv"
STAMP = VENV / "setup.json"
COPY_OF_STAMP = ROOT / "build/setup.json"
BOOTSTRAP = ROOT / "requirements/bootstrap.lock"
LOCK = ROOT / "requirements/cpu.lock"

MEASURED_ON = (3, 11)
NOT_YET = (3, 15)
MIN_GLIBC = (2, 31)
DOWNLOAD_GB = 3.5
DISK_GB = 7.8
NOISE = re.compile(r"^ [-+~] ")


class CannotSetUp(Exception):
    """A sentence for the person at the terminal."""


def cache_folder(environ: dict[str, str]) -> Path:
    """Where downloads are kept, outside the repository: $REFLECT_CACHE, else the user's cache folder."""
    if chosen := environ.get("REFLECT_CACHE"):
        return Path(chosen).expanduser()
    return Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "reflect-operator"


def check_platform(system: str, machine: str, python: tuple[int, int], libc: tuple[str, str]) -> str:
    """A note about what was not measured, or "".

    Raises:
        CannotSetUp: The locked packages have no build for this machine.
    """
    if system != "Linux":
        raise CannotSetUp(
            f"the locked packages are for Linux, this is {system}: use a Linux machine or container"
        )
    name, version = libc
    if name != "glibc" or tuple(map(int, version.split(".")[:2])) < MIN_GLIBC:
        found = f"{name} {version}".strip() or "another C library"
        raise CannotSetUp(
            f"the locked packages need glibc 2.31 or newer (Debian 11, Ubuntu 20.04), this is {found}"
        )
    if python >= NOT_YET:
        raise CannotSetUp(
            f"vLLM has no build for Python {python[0]}.{python[1]}: name an older one, make PYTHON=/path/to/python3.11"
        )
    if machine != "x86_64":
        return f"measured on x86_64 only, this is {machine}"
    if python != MEASURED_ON:
        return f"vLLM on a processor was measured on Python 3.11, this is {python[0]}.{python[1]}"
    return ""


def count_packages(lock: Path) -> int:
    """How many packages a lock file names."""
    return len(re.findall(r"^\S+==", lock.read_text(), flags=re.MULTILINE))


def pinned(lock: Path) -> list[str]:
    """The lines of a lock file without the comments about who wants what."""
    return [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]


def fingerprint(root: Path) -> str:
    """A hash of everything that .venv is made from, this Python and the place of the checkout included."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    parts: list[Any] = [
        str(root),
        sys.version,
        sys.prefix,
        project["build-system"],
        project["project"],
        project["tool"]["hatch"],
        *(pinned(root / "requirements" / name) for name in (BOOTSTRAP.name, LOCK.name)),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_stamp() -> dict[str, Any]:
    """What earlier set-ups wrote, or {}; `inputs` is empty unless the last one was complete."""
    try:
        return dict(json.loads(STAMP.read_text())) if PYTHON.exists() else {}
    except (OSError, ValueError):
        return {}


def write_stamp(stamp: dict[str, Any]) -> None:
    """Remember in .venv, once there is one."""
    if VENV.is_dir():
        STAMP.write_text(json.dumps(stamp, indent=2) + "\n")


def publish_stamp(stamp: dict[str, Any]) -> None:
    """The demo quotes the seconds of the set-up from build/setup.json."""
    COPY_OF_STAMP.parent.mkdir(exist_ok=True)
    COPY_OF_STAMP.write_text(json.dumps(stamp, indent=2) + "\n")


def check_disk(folder: Path, needed_gb: float) -> None:
    """Refuse at once what would fail after minutes of downloading."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    if free_gb < needed_gb:
        raise CannotSetUp(
            f"{folder}: {free_gb:.1f} GB free, about {needed_gb:.0f} GB needed; free some, or choose another place "
            "for downloads with REFLECT_CACHE"
        )


def run(*command: str | Path, cache: Path) -> None:
    """Run an installer; its lines pass through, without one line for each of two hundred packages."""
    env = os.environ | {
        "UV_CACHE_DIR": str(cache / "uv"),
        "PIP_CACHE_DIR": str(cache / "pip"),
        "NO_COLOR": "1",
    }
    env.setdefault("UV_HTTP_TIMEOUT", "180")
    # Started by `uv run` or inside another environment, an installer would work on that one.
    for name in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"):
        env.pop(name, None)
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not NOISE.match(line):
                print("  " + line.rstrip(), flush=True)
    if process.returncode != 0:
        raise CannotSetUp(
            f"{' '.join(map(str, command[:4]))} failed (see above); the same command carries on from there"
        )


def made_here() -> bool:
    """Whether .venv was made by this Python and in this place: its scripts hold absolute paths."""
    if not PYTHON.exists() or f"{VENV}\n" not in (VENV / "pyvenv.cfg").read_text():
        return False
    version = subprocess.run(
        [PYTHON, "-c", "import sys; print(sys.version)"], capture_output=True, text=True, check=False
    )
    return version.stdout == f"{sys.version}\n"


def install(cache: Path) -> None:
    """Fill .venv: first the installer with pip, then the locked set with it, then this project in place."""
    if not made_here():
        run(sys.executable, "-m", "venv", "--clear", VENV, cache=cache)
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--require-hashes", "--no-deps", "-r", BOOTSTRAP, cache=cache)
    uv_pip = (UV, "pip", "--no-progress", "--color=never")
    here = ("--python", PYTHON)
    run(*uv_pip, "sync", *here, "--require-hashes", LOCK, cache=cache)
    run(*uv_pip, "install", *here, "--no-deps", "--no-build-isolation", "--editable", ".", cache=cache)


def disk_usage(folder: Path) -> int:
    """Bytes on disk of a folder, hard links counted once."""
    seen: dict[int, int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - a hundred thousand files
            seen[status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


def main() -> None:
    """Bring .venv up to date and say what it costs."""
    inputs = fingerprint(ROOT)
    stamp = read_stamp()
    if stamp.get("inputs") == inputs:
        publish_stamp(stamp)
        return
    libc = platform.libc_ver()
    note = check_platform(platform.system(), platform.machine(), sys.version_info[:2], libc)
    cache = cache_folder(dict(os.environ))
    packages = count_packages(LOCK)
    print(
        f"set-up: {packages} packages into .venv with Python {platform.python_version()}: about {DOWNLOAD_GB} GB to "
        f"download the first time, {DISK_GB} GB on disk; downloads are kept in {cache}",
        flush=True,
    )
    if note:
        print(f"  note: {note}", flush=True)
    if not PYTHON.exists():
        check_disk(cache, DISK_GB)
    started = time.monotonic()
    stamp = {"inputs": "", "downloadSeconds": stamp.get("downloadSeconds") or 0.0}
    write_stamp(stamp)
    try:
        install(cache)
        stamp |= {"inputs": inputs, "packages": packages, "python": platform.python_version()}
        stamp["bytes"] = disk_usage(VENV)
    finally:
        # What a stopped or failed set-up has cost counts too.
        seconds = time.monotonic() - started
        stamp["downloadSeconds"] = round(stamp["downloadSeconds"] + seconds, 1)
        write_stamp(stamp)
    publish_stamp(stamp)
    print(
        f"set-up done in {seconds:.0f} s: {packages} packages, {stamp['bytes'] / 1e9:.1f} GB in .venv",
        flush=True,
    )


if __name__ == "__main__":
    try:
        main()
    except CannotSetUp as problem:
        sys.exit(f"set-up: {problem}")
    except KeyboardInterrupt:
        sys.exit("set-up: stopped; the same command carries on")
