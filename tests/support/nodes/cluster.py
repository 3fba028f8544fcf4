"""A whole cluster: control plane, scheduler, DNS and nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ..cluster import CORE, Cluster, Obj, until
from ..kubernetes_programs import NodePrograms, Programs, find_node_programs, find_programs
from .control import ControlPlaneWithNodes
from .dns import start_dns
from .node import CNI, Node
from .turn import take_turn

if TYPE_CHECKING:
    import pytest

_READY_LIMIT_S = 120
_PROGRAMS = ("containerd", "runc", "ctr", "iptables", "ip", "nsenter", "unshare")


def lacking() -> str:
    """What keeps this machine from running nodes, in a sentence; empty where nothing does."""
    if os.geteuid() != 0:
        return "only root may run nodes"
    if missing := [name for name in _PROGRAMS if not shutil.which(name)]:
        packages = "containerd runc containernetworking-plugins iptables iproute2"
        return f"{', '.join(missing)}: not installed (Debian: apt-get install {packages})"
    if not CNI.is_dir():
        return f"{CNI} is not there (Debian: apt-get install containernetworking-plugins)"
    namespaces = subprocess.run(
        ("unshare", "--mount", "--net", "--pid", "--fork", "true"), capture_output=True, check=False
    )
    return "root of this container may not make namespaces" if namespaces.returncode else ""


class ClusterWithNodes:
    """Started by making it; `stop` leaves nothing behind, and where that is never called, the next one cleans up."""

    def __init__(self, nodes: int = 2, *, patience: float = 0) -> None:
        """With so many nodes, after waiting so many seconds at most for another cluster of this machine to end."""
        programs, node_programs = find_programs(), find_node_programs()
        self._turn = take_turn(patience)
        try:
            self._start(programs, node_programs, nodes)
        except BaseException:
            self._turn.close()
            raise

    def _start(self, programs: Programs, node_programs: NodePrograms, nodes: int) -> None:
        self.plane = ControlPlaneWithNodes(programs, node_programs)
        try:
            self.cluster = Cluster(self.plane, programs.kubectl)
            start_dns(self.plane, self.cluster)
            with ThreadPoolExecutor(nodes) as pool:
                numbers = range(1, nodes + 1)
                self.nodes = list(
                    pool.map(lambda number: Node(self.plane, node_programs, number, nodes), numbers)
                )
            until(self.all_ready, "readiness of all nodes", patience=_READY_LIMIT_S)
        except BaseException as error:
            error.add_note(self.plane.daemons.logs())
            self.plane.stop()
            raise

    def all_ready(self) -> bool:
        """Whether every node takes pods."""
        found = self.cluster.items(f"{CORE}/nodes")
        return len(found) == len(self.nodes) and all(map(is_ready, found))

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def drain(self, node: Node) -> None:
        """Empty a node, as for its maintenance."""
        how = ("--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=100s")
        drained = self.cluster.kubectl("drain", node.name, *how)
        assert drained.returncode == 0, drained.stderr

    def mend(self, node: Node) -> None:
        """It is reached again, and takes pods."""
        node.plug_in()
        self.cluster.patch(f"{CORE}/nodes/{node.name}", {"spec": {"unschedulable": None, "taints": None}})
        until(self.all_ready, "readiness of all nodes", patience=_READY_LIMIT_S)

    def load(self, archive: Path) -> None:
        """Have every node take over the images of an archive."""
        for node in self.nodes:
            node.images(archive)

    def stop_after(self, tests: pytest.Session) -> None:
        """Stop everything; where a test has failed, the logs of all daemons stay."""
        with self._turn, closing(self.cluster):
            self.plane.stop_after(tests)

    def stop(self) -> None:
        """Stop everything and undo what was changed."""
        with self._turn, closing(self.cluster):
            self.plane.stop()


def is_ready(node: Obj) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
