"""The first process of a machine of its own: `unshare ... python init.py`, with namespaces for everything.

It prepares what containers expect of a machine, says so, and takes note of every process that ends. Nothing that it does
reaches beyond its namespaces; when it is killed, the kernel ends every process within them and lets go of every mount.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

OWN = ("/run", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")
"""Folders that programs write to whatever they are told: empty ones of our own."""


def main() -> None:
    """Prepare and wait."""
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "proc", "proc", "/proc")
    for folder in OWN:
        Path(folder).mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "tmpfs", folder)
    # What kubelet mounts must reach into containers.
    _run("mount", "--make-rshared", "/")
    _run("ip", "link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    print("ready", flush=True)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.sigtimedwait([signal.SIGCHLD], 1.0)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
