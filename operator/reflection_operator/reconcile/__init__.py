"""The decision: what to do next with a run, as a pure function of what is seen of it. No I/O, no clock, no randomness.

`decide` in decide.py reads from top to bottom; every other file is one policy of it. observed.py is what goes in (parse.py
makes it from API objects), decision.py is what comes out and how it is to be carried out.
"""
