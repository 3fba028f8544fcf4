"""The decision carried out on a cluster: what is seen of it is kept in a store, what has changed is queued by run, and each run
is reconciled by one worker at a time.

Watching is kopf's (see main.py), requests are kubernetes.aio's. Nothing here decides anything.
"""
