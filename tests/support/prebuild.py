"""`python -m tests.support.prebuild`: builds the large Go programs that tests run against, in the order in which they come.

`make test` starts it beside the checks and the tests, which leave a processor idle now and then. It takes no other time: a
training whose threads wait for each other would lose far more than its share. A test whose program is being built waits
for it; that one cannot be built here is said by the test that needs it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from . import helm, s3_server
from .go_tools import GoToolMissing, go_tool
from .kubernetes_programs import find_programs

PROGRAMS: list[Callable[[], object]] = [
    lambda: go_tool("versitygw", s3_server.PACKAGE),
    find_programs,
    lambda: go_tool("helm", helm.PACKAGE),
]

if __name__ == "__main__":
    os.nice(19)
    for build in PROGRAMS:
        with contextlib.suppress(GoToolMissing):
            build()
