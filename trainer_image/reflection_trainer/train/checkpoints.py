"""Checkpoints in storage: each whole with its manifest, the last few kept, the newest intact one to go on from."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from reflection_api.layout import MANIFEST
from reflection_api.manifests import Provenance

from ..errors import CorruptArtifact
from ..provenance import refuse_other_provenance
from ..storage import Artifacts
from .order import WorkOrder, checkpoint_step
from .tracking.files import TrackingFiles

logger = logging.getLogger(__name__)

_NAME = re.compile(r"^checkpoint-(\d+)$")
_LOOK_SECONDS = 0.1
_NICE = 10


class Checkpoints:
    """The checkpoints of one round, below its train folder."""

    def __init__(self, artifacts: Artifacts, folder: str, provenance: Provenance, *, keep_last: int) -> None:
        self._artifacts = artifacts
        self._folder = folder
        self._provenance = provenance
        self._keep_last = keep_last
        self._damaged: set[int] = set()
        """Steps whose files do not match their manifest: they are no reason to delete others."""

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
                self._damaged.add(step)
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
        """Store the checkpoint in the folder `local`, then delete what is no longer wanted."""
        path = f"{self._folder}/{local.name}"
        self._artifacts.put_folder(local, path, kind="checkpoint", provenance=self._provenance)
        self._damaged.discard(checkpoint_step(local))
        self._delete_old()

    def _delete_old(self) -> None:
        """Keep the last few complete ones. What has no manifest was left by an attempt that died: only this one writes now."""
        states = {step: self._state(step) for step in sorted(self._steps(with_manifest=False))}
        kept = [step for step, state in states.items() if state == "complete"][-self._keep_last :]
        for step, state in states.items():
            if state == "unfinished" or (kept and step < kept[0]):
                self._artifacts.delete_folder(self._path(step))

    def _state(self, step: int) -> Literal["complete", "unfinished", "damaged"]:
        """By what stands in the manifest's place, and what was found out about the rest."""
        if step in self._damaged:
            return "damaged"
        try:
            found = self._artifacts.manifest_of_folder(self._path(step))
        except CorruptArtifact:
            return "damaged"
        return "unfinished" if found is None else "complete"

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
    """Moves checkpoints, and with them trackers' files, from this machine's disk to storage while training goes on."""

    def __init__(self, order: WorkOrder, checkpoints: Checkpoints, tracking: TrackingFiles) -> None:
        self._order = order
        self._checkpoints = checkpoints
        self._tracking = tracking
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
            # The training's own threads go first. Linux keeps this per thread, and those of an upload begin with it.
            # Nobody may go back to a smaller number.
            thread = threading.get_native_id()
            nice = max(_NICE, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, nice)
            while not self._ending.wait(_LOOK_SECONDS):
                self._move_waiting()
            self._move_waiting()
            self._tracking.store_all()
        except BaseException as failure:  # noqa: BLE001 - raised again by `check`, in the thread that can act on it
            self._failure = failure

    def _move_waiting(self) -> None:
        waiting = list(self._order.ready.glob("checkpoint-*"))
        for ready in sorted(waiting, key=lambda file: int(file.name.rsplit("-", 1)[1])):
            local = self._order.output / ready.name
            self._checkpoints.store(local)
            self._tracking.store_growing()
            shutil.rmtree(local)
            ready.unlink()  # the training may hand over the next one
