"""A gate between pods and the S3 server, which treats them as a bad network or a service at its limits does.

Connections are passed on as they are, TLS and all. While the gate refuses, every other one is answered with 503, and the rest
are closed, those that are open as well.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..cluster import until
from . import gate_server
from .cluster import ClusterWithNodes
from .gate_server import ANSWERED, CLOSED, PASSES
from .network import CONTROL
from .s3 import GATE_HOST, NAMESPACE, PORT, S3InCluster
from .services import lead_out


class Gate:
    """One gate, which passes everything on until told otherwise."""

    endpoint = f"https://{GATE_HOST}:{PORT}"
    """For pods, in the place of the server's own."""

    def __init__(self, nodes: ClusterWithNodes, s3: S3InCluster) -> None:
        """Start it."""
        self._state = nodes.plane.folder / "gate"
        self._tell(PASSES)
        program = Path(gate_server.__file__)
        words = (self._state, CONTROL, s3.address, str(PORT), *s3.certificate)
        nodes.plane.machine.start("gate", [sys.executable, program, *words])
        self._log = nodes.plane.daemons.log("gate")
        until(lambda: "listens" in self._log.read_text(), "gate")
        lead_out(nodes.cluster, NAMESPACE, GATE_HOST.split(".")[0], [{"port": PORT}])

    @contextmanager
    def being(self, state: str) -> Iterator[None]:
        """It refuses, or is slow, until the end of the block."""
        self._tell(state)
        try:
            yield
        finally:
            self._tell(PASSES)

    def refusals(self) -> set[str]:
        """In which ways it has refused connections so far."""
        return {CLOSED, ANSWERED} & set(self._log.read_text().splitlines())

    def _tell(self, state: str) -> None:
        unfinished = self._state.with_suffix(".new")
        unfinished.write_text(state)
        unfinished.replace(self._state)
