"""A node: containerd, kubelet and kube-proxy on a machine of its own."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from ..cluster import Obj
from ..control_plane import flags
from ..kubernetes_programs import NodePrograms
from . import cgroups
from .control import ControlPlaneWithNodes
from .daemon import Daemon
from .images import pause_image
from .machine import Machine
from .network import DNS_SERVICE, address, join, plug, pods

PAUSE = "registry.k8s.io/pause:3.10"
_SOCKET_LIMIT_S = 30
CNI = Path(os.environ.get("CNI_PATH", "/usr/lib/cni"))
"""The programs that give pods their network, unless told otherwise where Debian has them."""


class Node:
    """One node, counted from 1."""

    def __init__(self, plane: ControlPlaneWithNodes, programs: NodePrograms, number: int, nodes: int) -> None:
        """Start it, one of so many that there are or will be; that it is ready is for the API server to say."""
        self._plane, self._programs, self._number = plane, programs, number
        self.name = f"node-{number}"
        self.address = address(number)
        self.folder = plane.folder / self.name
        self.folder.mkdir()
        self.machine = Machine(plane.daemons, self.name)
        self._cgroup = f"{plane.folder.name}-{self.name}"
        plane.daemons.will_undo("cgroup", self._cgroup)
        cgroups.make(self._cgroup)
        join(plane.machine, self.machine, number, nodes)
        self._socket = Path("/run/containerd.sock")
        self._pod_logs = self.folder / "pod-logs"
        self._start_containerd()
        self._import_pause()
        self._start_kubelet()
        self._start_proxy()

    @property
    def kubelet(self) -> Daemon:
        return self.machine.daemon(f"{self.name}-kubelet")

    @property
    def containerd(self) -> Daemon:
        return self.machine.daemon(f"{self.name}-containerd")

    def images(self, archive: Path) -> None:
        """Take over the images of an OCI archive."""
        self._ctr("images", "import", str(archive))

    def also_call(self, image: str, name: str) -> None:
        """Give an image that is here a further name."""
        self._ctr("images", "tag", image, name)

    def processes(self, pod: Obj) -> list[psutil.Process]:
        """What runs in the containers of a pod, as it is called outside of them."""
        found = []
        for pid in sorted(cgroups.processes(self._cgroup, pod["metadata"]["uid"])):
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        return found

    def log(self, pod: Obj, container: str) -> Path:
        """The file with what a container of a pod has written since its first start; it goes with the pod."""
        meta = pod["metadata"]
        folder = f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
        return self._pod_logs / folder / container / "0.log"

    def exhaust_memory(self, pod: Obj, container: str) -> None:
        """Take memory from a container until the kernel kills one of its processes, and give it back."""
        (found,) = (each for each in pod["status"]["containerStatuses"] if each["name"] == container)
        cgroups.exhaust_memory(self._cgroup, found["containerID"].rpartition("/")[2])

    def unplug(self) -> None:
        """Cut it off from everything else."""
        plug(self._plane.machine, self._number, into=False)

    def plug_in(self) -> None:
        plug(self._plane.machine, self._number, into=True)

    def _start_containerd(self) -> None:
        cni = self.folder / "cni"
        cni.mkdir()
        bridge = {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "isDefaultGateway": True,
            "hairpinMode": True,
            "ipMasq": False,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": pods(self._number)}]]},
        }
        network = {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
        }
        (cni / "10-pods.conflist").write_text(json.dumps(network))
        config = self.folder / "containerd.toml"
        config.write_text(f"""
version = 2
root = '{self.folder}/containerd'
state = '/run/containerd'
disabled_plugins = ['io.containerd.snapshotter.v1.btrfs', 'io.containerd.snapshotter.v1.devmapper']
[grpc]
  address = '{self._socket}'
[plugins."io.containerd.internal.v1.opt"]
  path = '{self.folder}/opt'
[plugins."io.containerd.grpc.v1.cri"]
  # This user may not lower the score by which the kernel chooses whom to kill.
  restrict_oom_score_adj = true
  sandbox_image = '{PAUSE}'
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = '{CNI}'
    conf_dir = '{cni}'
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
""")
        self.machine.start(f"{self.name}-containerd", ["containerd", "--config", config])
        deadline = time.monotonic() + _SOCKET_LIMIT_S
        while True:
            try:
                self._ctr("version")
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return

    def _ctr(self, *words: str) -> str:
        return self.machine.run("ctr", "--address", self._socket, "--namespace", "k8s.io", *words)

    def _import_pause(self) -> None:
        archive = self.folder / "pause.tar"
        pause_image(archive, PAUSE)
        self.images(archive)

    def _start_kubelet(self) -> None:
        certificate, key = self._plane.certificate_for(f"kubelet-{self.name}", self.address)
        resolv = self.folder / "resolv.conf"
        resolv.write_text("")
        settings = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._cgroup}",
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "address": self.address,
            "readOnlyPort": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self._plane.ca)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(certificate),
            "tlsPrivateKeyFile": str(key),
            "resolvConf": str(resolv),
            "clusterDNS": [DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "enforceNodeAllocatable": ["pods"],
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
                "nodefs.inodesFree": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "podLogsDir": str(self._pod_logs),
            "serializeImagePulls": False,
            "nodeStatusUpdateFrequency": "4s",
            "nodeLeaseDurationSeconds": 8,
            # Within a test's patience a Secret that is replaced is to reach the pods, a volume over its limit to be noticed,
            # and a container that was killed again and again to be started anew.
            "syncFrequency": "10s",
            "volumeStatsAggPeriod": "10s",
            "crashLoopBackOff": {"maxContainerRestartPeriod": "5s"},
            "volumePluginDir": str(self.folder / "plugins"),
        }
        config = self.folder / "kubelet.json"
        config.write_text(json.dumps(settings))
        kubeconfig = self._plane.kubeconfig_for(
            f"system:node:{self.name}", "system:nodes", server=self._plane.inner_server
        )
        options = {
            "config": config,
            "kubeconfig": kubeconfig,
            "root-dir": self.folder / "kubelet",
            "cert-dir": self.folder / "kubelet-pki",
            "hostname-override": self.name,
            "node-ip": self.address,
        }
        self.machine.start(f"{self.name}-kubelet", [self._programs.kubelet, *flags(options)])

    def _start_proxy(self) -> None:
        kubeconfig = self._plane.kubeconfig_for("system:kube-proxy", server=self._plane.inner_server)
        options = {
            "kubeconfig": kubeconfig,
            "hostname-override": self.name,
            "proxy-mode": "iptables",
            "cluster-cidr": "10.244.0.0/16",
            "conntrack-max-per-core": 0,
            "conntrack-tcp-timeout-established": 0,
            "conntrack-tcp-timeout-close-wait": 0,
        }
        self.machine.start(f"{self.name}-proxy", [self._programs.proxy, *flags(options)])
