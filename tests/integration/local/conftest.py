"""The whole loop, once."""

from __future__ import annotations

import time

import pytest

from .loop import Loop


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A run that nothing disturbs, to its end."""
    loop = Loop(tmp_path_factory.mktemp("undisturbed"))
    started = time.monotonic()
    done = loop.run()
    loop.seconds = time.monotonic() - started
    assert done.returncode == 0, done.stdout + done.stderr
    loop.output = done.stdout
    return loop
