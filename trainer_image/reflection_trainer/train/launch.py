"""accelerate's own launcher, which begins and ends sooner than as a program of its own."""

from __future__ import annotations

from ..startup import leave, prepare

if __name__ == "__main__":
    prepare()
    from accelerate.commands.launch import main

    try:
        main()
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else int(end.code is not None))
    leave(0)
