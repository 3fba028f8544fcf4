"""From what somebody names to the report of a run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from reflection_api.layout import stage_path
from reflection_api.reasons import Reason
from reflection_api.stages import Stage

from ..errors import BadConfig
from ..storage import Artifacts, open_store, settings_of
from .content import Report
from .gather import gather
from .settings import settings_left

_FIRST_ROUND = stage_path(1, Stage.ROLLOUT).split("/", 1)[0]
_MAX_ROUNDS = 10


def report_of(place: str, settings: str = "{}") -> Report:
    """What the run that `place` names has left so far.

    Args:
        place: a folder or a URI, see `run_folder`.
        settings: how S3 is reached, as JSON; see `settings_of`.

    Raises:
        BadConfig: no run is there, or more than one; or the settings are wrong.
        CorruptArtifact: an artefact does not match its manifest.
    """
    uri = run_folder(place)
    artifacts = Artifacts(open_store(uri, settings_of(uri, settings) if uri.startswith("s3://") else None))
    rounds = rounds_begun(artifacts)
    with tempfile.TemporaryDirectory(prefix="reflect-report-") as scratch:
        return gather(artifacts, settings_left(artifacts, rounds), rounds, Path(scratch))


def run_folder(place: str) -> str:
    """The URI of the run's folder: `place` itself, or the only run below a folder of this machine.

    Raises:
        BadConfig: there is none, or more than one.
    """
    if "://" in place and not place.startswith("file://"):
        return place.rstrip("/")
    folder = Path(place.removeprefix("file://")).resolve()
    if not folder.is_dir():
        raise _nothing(f"{place}: there is no such folder")
    if (folder / _FIRST_ROUND).is_dir():
        return folder.as_uri()
    runs = sorted({found.parent for found in folder.rglob(_FIRST_ROUND) if found.is_dir()})
    if not runs:
        raise _nothing(f"{place}: no run has stored anything in or below this folder")
    if len(runs) > 1:
        names = ", ".join(str(run) for run in runs[:5])
        raise _nothing(f"{place}: {len(runs)} runs are below this folder, name one of them: {names}")
    return runs[0].as_uri()


def rounds_begun(artifacts: Artifacts) -> int:
    """How many rounds left something, one at least.

    Raises:
        BadConfig: nothing is there.
    """
    for number in range(1, _MAX_ROUNDS + 2):
        if next(iter(artifacts.store.list(stage_path(number, Stage.ROLLOUT))), None) is None:
            if number == 1:
                raise _nothing(f"{artifacts.store.root}: no run has stored anything there")
            return number - 1
    return _MAX_ROUNDS


def _nothing(problem: str) -> BadConfig:
    return BadConfig(
        f"{problem}; expected a run's folder <storage.uri>/<namespace>/<name>-<uid>, its URI, or a folder with one run below",
        reason=Reason.INVALID_SPEC,
    )
