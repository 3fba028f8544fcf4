"""Checkpoints in storage: each whole with its manifest, the last few kept, the newest intact one to go on from."""

from __future__ import annotations

import logging
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from reflection_api.layout import MANIFEST
from reflection_api.manifests import Provenance

from ..errors import CorruptArtifact
from ..provenance import refuse_other_provenance
from ..storage import Artifacts
from .order import WorkOrder

logger = logging.getLogger(__name__)

_NAME = re.compile(r"^checkpoint-(\d+)$")
_LOOK_SECONDS = 0.1


class Checkpoints:
    """The checkpoints of one round, below its train folder."""

    def __init__(self, artifacts: Artifacts, folder: str, provenance: Provenance, *, keep_last: int) -> None:
        self._artifacts = artifacts
        self._folder = folder
        self._provenance = provenance
        self._keep_last = keep_last

    def fetch_newest(self, local: Path) -> Path | None:
        """Copy the newest complete and intact checkpoint into a folder of `local`; None where there is none.

        One that does not match its manifest is reported and passed over: it costs some steps, not the run.

        Raises:
            BadConfig: the newest was made with other settings (reason DatasetMismatch).
        """
        for step in sorted(self._steps(with_manifest=True), reverse=True):
            path = self._path(step)
            target = local / f"checkpoint-{step}"
            try:
                manifest = self._artifacts.get_folder(path, target)
            except CorruptArtifact as error:
                logger.warning("checkpoint of step %d is skipped: %s", step, error.message)
                shutil.rmtree(target, ignore_errors=True)
                continue
            if manifest is not None:
                refuse_other_provenance(manifest, self._provenance, self._artifacts.store.uri(path))
                return target
        return None

    def sweep(self) -> None:
        """Remove what an attempt that was killed left half-written. Only for the one machine that stores checkpoints."""
        if removed := self._artifacts.store.sweep(self._folder):
            logger.info("removed %d unfinished writes of an earlier attempt", removed)

    def store(self, local: Path) -> None:
        """Store the checkpoint in the folder `local`, then delete all but the last few."""
        path = f"{self._folder}/{local.name}"
        self._artifacts.put_folder(local, path, kind="checkpoint", provenance=self._provenance)
        self._delete_old()

    def _delete_old(self) -> None:
        complete = [step for step in sorted(self._steps(with_manifest=True)) if self._complete(step)]
        kept = complete[-self._keep_last :]
        for step in sorted(self._steps(with_manifest=False)):
            if kept and step < kept[0]:
                self._artifacts.delete_folder(self._path(step))

    def _complete(self, step: int) -> bool:
        """Whether what stands in the manifest's place is one."""
        try:
            return self._artifacts.manifest_of_folder(self._path(step)) is not None
        except CorruptArtifact:
            return False

    def _steps(self, *, with_manifest: bool) -> set[int]:
        """Steps that there are files of; on demand only those that have something in the manifest's place."""
        return {step for step, name in self._files() if name == MANIFEST or not with_manifest}

    def _files(self) -> Iterator[tuple[int, str]]:
        for path in self._artifacts.store.list(self._folder):
            name, _, rest = path.removeprefix(f"{self._folder}/").partition("/")
            match = _NAME.match(name)
            if match and rest:
                yield int(match[1]), rest

    def _path(self, step: int) -> str:
        return f"{self._folder}/checkpoint-{step}"


class Mover:
    """Moves checkpoints from this machine's disk to storage while training goes on."""

    def __init__(self, order: WorkOrder, checkpoints: Checkpoints) -> None:
        self._order = order
        self._checkpoints = checkpoints
        self._ending = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what storing a checkpoint raised: a training whose checkpoints are lost is not worth going on with."""
        if self._failure is not None:
            raise self._failure

    def finish(self) -> None:
        """Store what is still waiting, and end."""
        self._ending.set()
        self._thread.join()
        self.check()

    def _run(self) -> None:
        try:
            while not self._ending.wait(_LOOK_SECONDS):
                self._move_waiting()
            self._move_waiting()
        except BaseException as failure:  # noqa: BLE001 - raised again by `check`, in the thread that can act on it
            self._failure = failure

    def _move_waiting(self) -> None:
        waiting = list(self._order.ready.glob("checkpoint-*"))
        for ready in sorted(waiting, key=lambda file: int(file.name.rsplit("-", 1)[1])):
            local = self._order.output / ready.name
            self._checkpoints.store(local)
            shutil.rmtree(local)
            ready.unlink()  # the training may hand over the next one
