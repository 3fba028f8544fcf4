"""Builds an image as an OCI archive, without a container engine: the operator's, or that of examples/own-verifier.

Debian's Python below (scripts/debian_base.py). Above it the operator has the packages of requirements/operator.lock with every
hash checked, and this project's wheel; the verifier has its service. For air-gapped clusters and for tests; the Dockerfile of
each builds the same with a container engine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .debian_base import PYTHON, USER, NoPackages, base_layer
from .oci import Layer, LayerWriter, write_archive

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LOCK = ROOT / "requirements/operator.lock"
SITE = "opt/reflect"
SERVICE = ROOT / "examples/own-verifier"
APP = "app"
VERSION = (3, 11)
"""Of Python, in the base."""
SETTINGS = {
    "User": f"{USER}:{USER}",
    "Env": [
        "PATH=/usr/local/bin:/usr/bin",
        f"PYTHONPATH=/{SITE}",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONUNBUFFERED=1",
    ],
    "Entrypoint": [PYTHON, "-m", "reflection_operator"],
    "WorkingDir": "/",
}


def site_packages(folder: Path) -> Path:
    """A folder in `folder` with what the operator in the image can import: the locked packages and this project."""
    site = folder / "site"
    version = ".".join(map(str, VERSION))
    into = (
        "--target",
        site,
        "--python-version",
        version,
        "--python-platform",
        "x86_64-manylinux_2_36",
        "--no-deps",
    )
    _uv("pip", "install", *into, "--only-binary", ":all:", "--require-hashes", "-r", LOCK)
    _uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder / "dist")
    _uv("pip", "install", *into, *(folder / "dist").glob("*.whl"))
    return site


def packages_layer(folder: Path) -> Layer:
    """The same as a layer, without the programs that the packages bring."""
    site = site_packages(folder)
    if sys.version_info[:2] == VERSION:
        # A root file system that is read-only keeps no compiled code; by time they would all be stale.
        compiled = ("-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash")
        subprocess.run([sys.executable, *compiled, "-s", site, "-p", f"/{SITE}", site], check=True)
    writer = LayerWriter()
    for part in sorted(site.iterdir()):
        if part.name == "bin":
            continue
        if part.is_dir():
            writer.tree(part, f"{SITE}/{part.name}")
        else:
            writer.file(f"{SITE}/{part.name}", part.read_bytes())
    return writer.layer()


def _uv(*words: str | Path) -> None:
    command = [BIN / "uv", "--quiet", "--no-progress", *words]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, text=True, capture_output=True, check=False)
    if done.returncode:
        raise NoPackages(f"uv {words[0]} {words[1]} failed: {done.stderr.strip()[-1000:]}")


def build(target: Path, name: str) -> str:
    """Write the archive of the operator's image; its digest."""
    with tempfile.TemporaryDirectory() as folder:
        base, packages = base_layer(Path(folder) / "debian")
        layers = [base, packages_layer(Path(folder))]
        return write_archive(target, name, layers, SETTINGS | _labels("reflect-operator", packages))


def build_verifier(target: Path, name: str, *more: Path) -> str:
    """Write the archive of the verifier's image; its digest. It has `more` files beside its own, and the last one is run."""
    files = [SERVICE / "openapi.json", SERVICE / "service.py", *more]
    settings = {
        "User": "1000:1000",
        "Env": ["PATH=/usr/bin", "PORT=8080", "PYTHONUNBUFFERED=1"],
        "Entrypoint": [PYTHON, f"/{APP}/{files[-1].name}"],
        "WorkingDir": f"/{APP}",
    }
    with tempfile.TemporaryDirectory() as folder:
        base, packages = base_layer(Path(folder))
        service = LayerWriter()
        for file in files:
            service.file(f"{APP}/{file.name}", file.read_bytes())
        labels = _labels("own-verifier", packages)
        return write_archive(target, name, [base, service.layer()], settings | labels)


def _labels(title: str, packages: list[str]) -> dict[str, dict[str, str]]:
    return {"Labels": {"org.opencontainers.image.title": title, "debian.packages": " ".join(packages)}}


class _Image(NamedTuple):
    build: Callable[[Path, str], str]
    name: str


def main() -> int:
    """Build what the command line asks for."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {
        "operator": _Image(build, f"reflect-operator:{version}"),
        "verifier": _Image(build_verifier, "own-verifier:1"),
    }
    parser = argparse.ArgumentParser(
        prog="python -m scripts.image",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", nargs="?", choices=images, default="operator", help="default: operator")
    parser.add_argument("--output", type=Path, help="default: build/images/, with the image's name")
    parser.add_argument("--name", help="name and tag of the image")
    chosen = parser.parse_args()
    image = images[chosen.image]
    name = chosen.name or image.name
    output = chosen.output or ROOT / f"build/images/{image.name.partition(':')[0]}.tar"
    try:
        digest = image.build(output, name)
    except NoPackages as problem:
        print(f"image: {problem}", file=sys.stderr)
        return 1
    print(f"{output}: {name}@{digest}, {output.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
