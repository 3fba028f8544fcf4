"""Verifiers: who says whether an answer is right, and which kind of wrong it is."""
