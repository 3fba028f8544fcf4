"""accelerate's own launcher, which begins and ends sooner than as a program of its own."""

from __future__ import annotations

from ..startup import leave, prepare

if __name__ == "__main__":
    prepare()
    from accelerate.commands.launch import main

    try:
        main()
    except SystemExit as end:
        leave(end.code)
    leave(0)
