"""The command line: parses, calls one function, and turns its outcome into words and an exit code."""
