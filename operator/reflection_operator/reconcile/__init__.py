"""The decision: what to do next with a run, as a pure function of what is seen of it. No I/O, no clock, no randomness.

`decide` in decide.py reads from top to bottom; every other file is one policy of it.
"""
