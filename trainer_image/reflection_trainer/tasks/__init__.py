"""Prompts files for tasks: puzzles made, benchmark data read, rows split without leakage."""
