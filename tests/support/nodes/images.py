"""Images that nodes of tests run, built here: nothing is pulled from anywhere."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from reflection_api.stages import RUN_STAGES

from scripts.debian_base import base_layer
from scripts.image import build_verifier
from scripts.oci import Layer, LayerWriter, write_archive

from ..go_tools import go_tool
from ..s3_server import PACKAGE

_LIBRARIES = ("libgomp1", "libnuma1", "libreadline8", "libtinfo6", "libncursesw6")
"""What packages of the environment link against, beside what Python does."""
_PROGRAMS = ("dash", "util-linux", "libsmartcols1")
"""What vLLM calls on processors: `lscpu`, through a shell. Any image of a whole Debian has both."""
ROOT = Path(__file__).resolve().parents[3]
_PACKAGES = Path(sys.prefix).resolve()
ENVIRONMENT = (
    ROOT,
    Path(sys.base_prefix).resolve(),
    # Unless it belongs to the checkout, where `make setup` puts it.
    *([] if _PACKAGES.is_relative_to(ROOT) else [_PACKAGES]),
)
"""Folders of this machine that a trainer's pod needs to run the code of this checkout."""


def compile_environment() -> None:
    """Have the stages' libraries compiled: pods cannot write beside them, and each would do it again for itself."""
    stages = [f"reflection_trainer.{stage}.stage" for stage in RUN_STAGES]
    modules = [*stages, "reflection_trainer.train.session", "accelerate.commands.launch"]
    modules += ["vllm.entrypoints.llm", "vllm.v1.engine.core"]
    subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True)


def pause_image(archive: Path, name: str) -> None:
    """What keeps a pod's namespaces."""
    layer = LayerWriter()
    layer.file("pause", go_tool("pause", ".", name="pause").read_bytes(), mode=0o755)
    write_archive(archive, name, [layer.layer()], {"Entrypoint": ["/pause"], "User": "65535:65535"})


def trainer_image(archive: Path, name: str) -> None:
    """What the environment of this checkout needs around it; the environment itself is mounted, for it is gigabytes."""
    # Of whatever checkout the environment was made for, this one's code is run.
    code = ":".join(str(ROOT / part) for part in ("crds", "trainer_image"))
    variables = [f"PATH={Path(sys.prefix) / 'bin'}:/usr/bin", f"PYTHONPATH={code}"]
    write_archive(archive, name, [_base()], {"Env": variables, "User": "1000:1000"})


def verifier_image(archive: Path, name: str) -> None:
    """A verifier of one's own for Countdown, as a service: the example's image with another judge."""
    build_verifier(archive, name, Path(__file__).with_name("countdown_service.py"))


@lru_cache
def _base() -> Layer:
    """Debian's Python, what the environment links against, and what it calls."""
    with tempfile.TemporaryDirectory() as folder:
        return base_layer(Path(folder), (*_LIBRARIES, *_PROGRAMS))[0]


def s3_image(archive: Path, name: str) -> None:
    """A real S3 server."""
    layer = LayerWriter()
    layer.file("versitygw", go_tool("versitygw", PACKAGE).read_bytes(), mode=0o755)
    write_archive(archive, name, [layer.layer()], {"Entrypoint": ["/versitygw"], "User": "1000:1000"})
