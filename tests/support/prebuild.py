"""`python -m tests.support.prebuild`: builds the large Go programs that tests run against, in the order in which they come.

`make test` starts it beside the checks and the tests, which leave a processor idle now and then. It takes no other time: a
training whose threads wait for each other would lose far more than its share. A test whose program is being built waits
for it; that one cannot be built here is said by the test that needs it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from . import helm, s3_server
from .go_tools import GoToolMissing, go_tool
from .kubernetes_programs import find_node_programs, find_programs
from .nodes.cluster import lacking
from .nodes.dns import find_coredns

PROGRAMS: list[Callable[[], object]] = [
    lambda: go_tool("versitygw", s3_server.PACKAGE),
    find_programs,
    lambda: go_tool("helm", helm.PACKAGE),
    *(() if lacking() else (find_node_programs, find_coredns)),
]


def give_way() -> None:
    """Take only what nobody else wants: Linux shares processors out among sessions first, whatever the nice of a build."""
    with contextlib.suppress(OSError):  # not every kernel groups by session
        Path("/proc/self/autogroup").write_text("19")


if __name__ == "__main__":
    give_way()
    for build in PROGRAMS:
        with contextlib.suppress(GoToolMissing):
            build()
