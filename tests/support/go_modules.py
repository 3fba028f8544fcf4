"""Files of published Go modules, by version and checksum: definitions of other people's resources, as they are released."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from .go_tools import GoToolMissing, go_version


class GoModule(NamedTuple):
    """A published module."""

    path: str
    version: str
    sum: str
    """Of its files, as in a go.sum."""

    def folder(self) -> Path:
        """Where its files are, downloaded unless they are there already.

        Raises:
            GoMissing: there is no Go that is new enough.
            GoToolMissing: it cannot be downloaded, or is not what it was.
        """
        go_version()
        name = f"{self.path}@{self.version}"
        with tempfile.TemporaryDirectory() as outside:
            done = subprocess.run(
                ["go", "mod", "download", "-json", name],
                cwd=outside,
                env=os.environ | {"GO111MODULE": "on", "GOWORK": "off", "GOFLAGS": ""},
                text=True,
                capture_output=True,
                check=False,
            )
        found = json.loads(done.stdout or "{}")
        if done.returncode:
            raise GoToolMissing(f"go mod download {name}: {found.get('Error') or done.stderr}")
        if found["Sum"] != self.sum:
            raise GoToolMissing(f"{name} has the checksum {found['Sum']}, not {self.sum}")
        return Path(found["Dir"])


PROMETHEUS_OPERATOR = GoModule(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
)
KUSTOMIZE_CONTROLLER = GoModule(
    "github.com/fluxcd/kustomize-controller", "v1.9.0", "h1:WfM+bQUGUGW2qyrrTgh2bIVSZSPmc3JC7234K8NiTWQ="
)
SOURCE_CONTROLLER = GoModule(
    "github.com/fluxcd/source-controller", "v1.9.0", "h1:5msg2yyjVYDULZos+2ve8MZzcSqTpusiXmrOeBhc9yY="
)
HELM_CONTROLLER = GoModule(
    "github.com/fluxcd/helm-controller", "v1.6.0", "h1:jlS5X11SG26gspubB5aLrdVSCm0q0tA4ULsY+vwSkL0="
)
