"""Exit codes of `reflect`; 0 is success."""

FAILED = 1
"""The command failed, or a file is invalid."""
WRONG_USE = 2
"""The command line is wrong."""
INTERRUPTED = 130
"""Ctrl-C, as shells count signals."""
