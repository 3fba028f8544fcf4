"""`python -m reflection_operator.local.lifeline MARK RUNNER`: waits until the runner is gone, then ends its processes."""

from __future__ import annotations

import signal
import sys

from .processes import end_marked


def main() -> None:
    """Read until the pipe from the runner closes, then end every process that it started."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdin.buffer.read()
    mark, runner = sys.argv[1:]
    end_marked(mark, runner, grace=1.0)


if __name__ == "__main__":
    main()
