"""Runs on a cluster as their users see them: what `reflect status`, `logs`, `events`, `suspend` and `resume` do.

Who uses it needs no more permissions than kubectl would. Requests are those of kube/api.py.
"""
