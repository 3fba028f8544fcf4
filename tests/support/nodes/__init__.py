"""Real nodes on one machine: containerd, kubelet and kube-proxy, each node in namespaces of its own. Needs root."""
