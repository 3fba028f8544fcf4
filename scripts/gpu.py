"""`make gpu`: runs tests/gpu, which show what no processor can, in .venv-gpu, made from requirements/gpu.lock.

On a machine without a GPU nothing is installed: the tests are collected and say what they need.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from set_up import PYTHON, ROOT, UV, CannotSetUp, cache_folder, check_disk, run

VENV = ROOT / ".venv-gpu"
LOCK = ROOT / "requirements/gpu.lock"
COMPILED_FOR = "python3.12"
DISK_GB = 20


def gpus() -> list[str]:
    """The GPUs that the driver names; none without a driver."""
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]


def install(cache: Path) -> Path:
    """Bring .venv-gpu up to date; its Python."""
    base = shutil.which(COMPILED_FOR)
    if base is None:
        raise CannotSetUp(f"{LOCK.name} is compiled for {COMPILED_FOR}, which is not here: install it")
    if not VENV.exists():
        check_disk(ROOT, DISK_GB)
        run(UV, "venv", "--quiet", "--python", base, VENV, cache=cache)
    python = VENV / "bin/python"
    uv_pip = (UV, "pip", "--no-progress", "--color=never")
    run(*uv_pip, "sync", "--python", python, "--require-hashes", LOCK, cache=cache)
    run(*uv_pip, "install", "--python", python, "--no-deps", "--editable", ".", cache=cache)
    return python


def main() -> int:
    """Run the tests where there is a GPU, or say what is left out."""
    found = gpus()
    print(
        "\n".join(found) or "gpu: nvidia-smi names no GPU: nothing is installed, and every test is left out"
    )
    python = install(cache_folder(dict(os.environ))) if found else PYTHON
    return subprocess.run(
        [python, "-m", "pytest", "tests/gpu", *sys.argv[1:]], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotSetUp as problem:
        sys.exit(f"gpu: {problem}")
