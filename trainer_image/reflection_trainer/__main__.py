"""`python -m reflection_trainer <stage> --config FILE`: one stage of a run."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path

from reflection_api.contract import CONFIG_VARIABLE
from reflection_api.stages import TOLD_TO_STOP, Stage

from .harness import StageFunction, run_stage
from .logs import begin_log
from .startup import leave, prepare


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run the stage; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="reflection_trainer", description="Run one stage of a reflection training."
    )
    parser.add_argument("stage", choices=[stage.value for stage in Stage], help="the stage to run")
    parser.add_argument(
        "--config",
        type=Path,
        default=os.environ.get(CONFIG_VARIABLE),
        help=f"the stage's StageConfig (JSON); default: ${CONFIG_VARIABLE}",
    )
    arguments = parser.parse_args(argv)
    if arguments.config is None:
        parser.error(f"--config is missing (or ${CONFIG_VARIABLE})")
    begin_log()
    stage = Stage(arguments.stage)
    return run_stage(stage, Path(arguments.config), _lazily(stage))


def _leave(*_: object) -> None:
    """End in order when told to: in a container this is process 1, which gets no signal that it does not handle."""
    sys.exit(TOLD_TO_STOP)


def _lazily(stage: Stage) -> StageFunction:
    """Import a stage only when it runs: the others' libraries are slow to load."""

    def run(context):  # type: ignore[no-untyped-def]
        return importlib.import_module(f"reflection_trainer.{stage.value}.stage").run(context)

    return run


if __name__ == "__main__":
    prepare()
    signal.signal(signal.SIGTERM, _leave)
    leave(main())
