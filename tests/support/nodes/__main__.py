"""Keeps a cluster with nodes until Ctrl-C: `python -m tests.support.nodes [--nodes 2]`, as root. With --down it stops all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ..control_plane import keep
from ..daemons import stop_all
from .cluster import ClusterWithNodes, lacking
from .control import ControlPlaneWithNodes
from .turn import Occupied


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2, choices=(1, 2, 3), help="how many (default: 2)")
    parser.add_argument("--down", action="store_true", help="stop every such cluster of this user instead")
    chosen = parser.parse_args()
    if chosen.down:
        print(f"{stop_all(ControlPlaneWithNodes.kind)} stopped")
        return
    if problem := lacking():
        sys.exit(problem)

    def start() -> tuple[Path, Callable[[], None]]:
        running = ClusterWithNodes(chosen.nodes)
        return running.plane.kubeconfig, running.stop

    print("starting; the first time the programs are built, which takes minutes", file=sys.stderr)
    try:
        keep(start)
    except Occupied as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
