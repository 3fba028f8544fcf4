"""The report of a run: the same numbers as JSON for programs and as Markdown for people."""
