"""Keeps a cluster with nodes until Ctrl-C: `python -m tests.support.nodes [--nodes 2]`, as root. With --down it stops all."""

from __future__ import annotations

import argparse
import signal
import sys

from ..control_plane import until_told
from ..daemons import stop_all
from ..kubernetes_programs import find_programs
from .cluster import ClusterWithNodes
from .control import ControlPlaneWithNodes


def main() -> None:
    """Start it, say where it is, wait."""
    parser = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2, choices=(1, 2, 3), help="how many (default: 2)")
    parser.add_argument("--down", action="store_true", help="stop every such cluster of this user instead")
    chosen = parser.parse_args()
    if chosen.down:
        print(f"{stop_all(ControlPlaneWithNodes.kind)} stopped")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    running = ClusterWithNodes(chosen.nodes)
    try:
        print(f"export KUBECONFIG={running.plane.kubeconfig}", flush=True)
        print(f"alias kubectl={find_programs().kubectl}", flush=True)
        until_told()
    except KeyboardInterrupt:
        print("stopping", file=sys.stderr)
    finally:
        running.stop()


if __name__ == "__main__":
    main()
