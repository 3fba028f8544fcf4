"""The operator's decisions carried out on this machine: a rendered Job becomes local processes.

`decide` and the builders are the operator's own. Only the cluster is imitated: an object store in a folder and
processes in place of pods, described to `decide` in the words of the Kubernetes API.
"""
