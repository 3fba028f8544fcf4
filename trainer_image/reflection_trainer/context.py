"""What every stage is given: its configuration, the run's artefacts, a scratch folder, its index."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reflection_api.contract import SHARD_VARIABLE, WORKDIR_VARIABLE, StageConfig
from reflection_api.layout import stage_path
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from .errors import NO_SPACE, BadConfig
from .progress import Progress
from .storage import Artifacts, open_store


@dataclass(frozen=True)
class StageContext:
    """The surroundings of a running stage."""

    config: StageConfig
    artifacts: Artifacts
    """Artefacts of the run; paths are relative to the run's folder."""
    workdir: Path
    """Scratch folder of this pod's own."""
    index: int
    """Index of this pod within its Job."""

    @classmethod
    def create(cls, config: StageConfig) -> StageContext:
        """The context of this process, from its environment.

        The scratch volume may be one of the user's, which outlives the pod and which others share. What earlier pods of this
        run with this index have left there is removed: nothing of it may pass for this attempt's own.

        Raises:
            BadConfig: this user may not do that.
        """
        index, run = int(os.environ.get(SHARD_VARIABLE, "0")), f"{config.run.name}-{config.run.uid}"
        scratch = Path(os.environ.get(WORKDIR_VARIABLE) or tempfile.mkdtemp(prefix="reflect-"))
        workdir = scratch / f"{run}-r{config.round}-{config.stage.value}-{config.attempt}-{index}"
        try:
            for left in scratch.glob(f"{run}-*-{index}"):
                shutil.rmtree(left)
            workdir.mkdir(parents=True)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise
            raise BadConfig(
                f"{WORKDIR_VARIABLE}={scratch}: {error.filename}: {error.strerror}; let the stage's user write there, or "
                "remove what earlier pods of this run have left",
                reason=Reason.INVALID_SPEC,
            ) from error
        return cls(
            config=config,
            artifacts=Artifacts(open_store(config.run_uri, config.storage)),
            workdir=workdir,
            index=index,
        )

    def path(self, stage: Stage, name: str = "", *, round_number: int | None = None) -> str:
        """Path of a stage's artefact, relative to the run's folder; this round's unless told."""
        folder = stage_path(round_number or self.config.round, stage)
        return f"{folder}/{name}" if name else folder

    def progress(self, *, unit: str, total: int) -> Progress:
        """The progress of this stage."""
        return Progress(self.config.stage, index=self.index, unit=unit, total=total)
