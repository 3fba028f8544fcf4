"""Images that nodes of tests run, built here: nothing is pulled from anywhere."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from scripts.debian_base import base_layer
from scripts.oci import LayerWriter, write_archive

from ..go_tools import go_tool
from ..s3_server import PACKAGE

_LIBRARIES = ("libgomp1", "libnuma1", "libreadline8", "libtinfo6", "libncursesw6")
"""What packages of the environment link against, beside what Python does."""
ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = (ROOT, Path(sys.base_prefix).resolve())
"""Folders of this machine that a trainer's pod needs to run the code of this checkout."""


def pause_image(archive: Path, name: str) -> None:
    """What keeps a pod's namespaces."""
    layer = LayerWriter()
    layer.file("pause", go_tool("pause", ".", name="pause").read_bytes(), mode=0o755)
    write_archive(archive, name, [layer.layer()], {"Entrypoint": ["/pause"], "User": "65535:65535"})


def trainer_image(archive: Path, name: str) -> None:
    """What the environment of this checkout needs around it; the environment itself is mounted, for it is gigabytes."""
    with tempfile.TemporaryDirectory() as folder:
        base, _ = base_layer(Path(folder), _LIBRARIES)
    path = f"{Path(sys.prefix) / 'bin'}:/usr/bin"
    write_archive(archive, name, [base], {"Env": [f"PATH={path}"], "User": "1000:1000"})


def s3_image(archive: Path, name: str) -> None:
    """A real S3 server."""
    layer = LayerWriter()
    layer.file("versitygw", go_tool("versitygw", PACKAGE).read_bytes(), mode=0o755)
    write_archive(archive, name, [layer.layer()], {"Entrypoint": ["/versitygw"], "User": "1000:1000"})
