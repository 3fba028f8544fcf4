"""What trackers are told through their own environment variables, and whether they have a server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from reflection_api.contract import StageConfig
from reflection_api.reasons import Reason
from reflection_api.spec.training import Tracker

from ...errors import BadConfig

PROJECT = "reflect-operator"
"""Where trackers that sort runs into projects put them, unless the environment says otherwise."""


def check_installed(trackers: list[Tracker]) -> None:
    """Refuse trackers that this image lacks.

    Raises:
        BadConfig: one is asked for and is not there (reason InvalidSpec).
    """
    for name in trackers:
        if find_spec(name) is None:
            raise BadConfig(
                f"spec.training.reportTo: {name} is not installed here: use an image with reflect-operator[tracking], "
                "or leave it out",
                reason=Reason.INVALID_SPEC,
            )


def run_name(config: StageConfig) -> str:
    """What a run is called in a tracker."""
    return f"{config.run.namespace}/{config.run.name}-{config.run.uid[:8]} round {config.round}"


def environment(config: StageConfig, folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """What trackers read at their import; what is in the environment already goes first.

    Args:
        config: of the training.
        folder: of the files of trackers without a server.
        given: the environment so far.
    """
    trackers = config.training.report_to
    values: dict[str, str] = {}
    if "wandb" in trackers:
        values |= {
            "WANDB_PROJECT": PROJECT,
            "WANDB_DIR": str(folder),
            "WANDB_RUN_ID": f"{config.run.uid}-{config.round}",
            "WANDB_RESUME": "allow",
            "WANDB_DISABLE_GIT": "true",
            "WANDB_DISABLE_CODE": "true",
        }
    if "mlflow" in trackers:
        labels = {"namespace": config.run.namespace, "name": config.run.name, "uid": config.run.uid}
        values |= {
            "MLFLOW_EXPERIMENT_NAME": PROJECT,
            "MLFLOW_TAGS": json.dumps({**labels, "round": str(config.round)}),
            # Its own seven would hold up a training for minutes when the server is away.
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        }
        if not given.get("MLFLOW_TRACKING_URI"):
            values |= {"MLFLOW_TRACKING_URI": (folder / "mlflow").as_uri(), "MLFLOW_ALLOW_FILE_STORE": "true"}
    if "trackio" in trackers:
        values |= {"TRACKIO_DIR": str(folder / "trackio"), "TRACKIO_PROJECT": PROJECT}
    return {name: value for name, value in values.items() if name not in given}


def needs_hub(config: StageConfig, given: Mapping[str, str]) -> bool:
    """Whether a tracker writes to a Space of the Hugging Face Hub."""
    return "trackio" in config.training.report_to and bool(given.get("TRACKIO_SPACE_ID"))


def has_server(name: Tracker, given: Mapping[str, str]) -> bool:
    """Whether a tracker keeps its runs elsewhere, by the environment that is given."""
    match name:
        case "wandb":
            return given.get("WANDB_MODE", "online") not in ("offline", "disabled", "dryrun")
        case "mlflow":
            # Anything else is a folder or a database file of this machine.
            return given.get("MLFLOW_TRACKING_URI", "").startswith(("http://", "https://", "databricks"))
        case "trackio":
            return bool(given.get("TRACKIO_SPACE_ID") or given.get("TRACKIO_SERVER_URL"))
        case "tensorboard":
            return False
