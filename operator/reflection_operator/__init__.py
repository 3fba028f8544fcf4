"""The operator and the command line: what to do next, and doing it in a cluster or on this machine."""
