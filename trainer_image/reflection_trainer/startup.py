"""What lets a program with torch and transformers begin and end sooner: seconds of every stage's pod, and of every test."""

from __future__ import annotations

import gc
import os
import sys
import threading
from atexit import _run_exitfuncs
from typing import Any, NoReturn

_COLLECT_AFTER = 50_000
_UNUSED = ("chardet", "scipy", "sklearn")
"""What transformers and requests import wherever it is installed, for what nothing here asks for: image detection, ways of
generating, and a guess at encodings for which requests takes another library as well."""


def prepare(*unused: str) -> None:
    """To be called by a program before it imports anything large.

    Args:
        unused: further libraries that it imports for nothing.
    """
    # Imports make very many objects, of which hardly any dies: looking for those takes a quarter of the time.
    gc.set_threshold(_COLLECT_AFTER, 20, 50)
    modules: dict[str, Any] = sys.modules
    if "transformers" in modules:
        return  # it has looked for them, and imports them wherever it found them
    for name in (*_UNUSED, *unused):
        modules.setdefault(name, None)


def unprepare() -> None:
    """Let what `prepare` keeps from being imported be imported, for a library that has a use for it."""
    for name in _UNUSED:
        if name in sys.modules and sys.modules[name] is None:
            del sys.modules[name]


def leave(code: int | str | None) -> NoReturn:
    """End this program in order, and only leave out taking the interpreter apart, which takes seconds with torch in it.

    Args:
        code: as `sys.exit` takes it: a number, None for 0, or last words, with which it is 1.
    """
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - as the interpreter begins its own end
    _run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
