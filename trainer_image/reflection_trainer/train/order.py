"""What a training process is told, and what it leaves behind: two small files are all that it shares with the launcher."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from reflection_api.base import ApiModel
from reflection_api.contract import StageConfig

RANK_VARIABLE = "RANK"


class WorkOrder(ApiModel):
    """Everything that the training processes of one machine are told."""

    config: StageConfig
    node: Annotated[int, Field(ge=0)] = Field(description="Index of this machine in the training.")
    policy: Path = Field(description="Folder of the model that is trained.")
    failures: Path = Field(description="The dataset of failures as JSON lines.")
    resume_from: Path | None = Field(None, description="Folder of the checkpoint to go on from.")
    output: Path = Field(description="Folder that checkpoints, metrics and the model are written to.")
    control: Path = Field(description="Folder of the files below.")

    @property
    def stop_file(self) -> Path:
        """Exists once the training is asked to stop: the step is finished and saved first."""
        return self.control / "stop"

    @property
    def begun(self) -> Path:
        """Exists once this attempt has done a step: before, there is nothing to save."""
        return self.control / "begun"

    @property
    def ready(self) -> Path:
        """Holds a file per checkpoint that is complete on disk and waits to be stored."""
        return self.control / "ready"

    @property
    def table(self) -> Path:
        """The prepared failures."""
        return self.output / "failures.arrow"

    @property
    def metrics(self) -> Path:
        """The metrics file."""
        return self.output / "metrics.jsonl"

    @property
    def tracking(self) -> Path:
        """Folder for the files of trackers that have no server, one folder for each."""
        return self.output / "tracking"

    @property
    def model(self) -> Path:
        """Folder of the trained model."""
        return self.output / "model"

    def outcome_file(self, rank: int) -> Path:
        """Where the process `rank` leaves its outcome."""
        return self.control / f"outcome-{rank}.json"


Ended = Literal["completed", "interrupted", "failed"]


class Outcome(ApiModel):
    """How a training process ended; one that was killed leaves none."""

    ended: Ended
    step: int = Field(0, description="Optimizer steps done.")
    processes: int = Field(0, description="Processes that trained together.")
    checksum: str = Field("", description="Of the weights, the same in every process.")
    reason: str = ""
    message: str = ""
    exit_code: int = Field(1, description="Exit code of the stage, where it failed.")
    note: str = Field("", description="What a reader should know although nothing failed.")
    left_out: int = Field(0, description="Failures that do not fit into the model's context.")
    at: float = Field(default_factory=time.time, description="Seconds since the epoch.")


def checkpoint_step(folder: Path | None) -> int:
    """The step in the name of a checkpoint's folder; 0 without one."""
    return int(folder.name.rsplit("-", 1)[1]) if folder else 0


def write_file(path: Path, text: str) -> None:
    """Create or replace a file whole: a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def read_outcomes(order: WorkOrder) -> list[Outcome]:
    """The outcomes on this machine, the earliest first: what failed first is the cause of what followed."""
    files = order.control.glob("outcome-*.json")
    outcomes = [Outcome.model_validate_json(file.read_bytes()) for file in files]
    return sorted(outcomes, key=lambda outcome: outcome.at)
