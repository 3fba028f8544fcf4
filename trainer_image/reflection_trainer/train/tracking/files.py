"""The files of trackers that have no server, on their way to storage."""

from __future__ import annotations

from pathlib import Path

from ...storage.store import Store


class TrackingFiles:
    """Copies one folder of trackers' files to storage. They are logs and no artefacts: nothing reads them back."""

    def __init__(self, local: Path, store: Store, path: str) -> None:
        self._local = local
        self._store = store
        self._path = path
        self._stored: dict[Path, tuple[int, int]] = {}
        """Size and time of change of what is stored as it is."""

    def store_growing(self) -> None:
        """Store what may be read while it is written: TensorBoard's files, to which lines are only added."""
        self._store_below(self._local / "tensorboard")

    def store_all(self) -> None:
        """Store everything, once nothing writes there any more, in the place of what an earlier attempt stored.

        Nothing is lost with that: each attempt tells its trackers all steps from the first on.
        """
        self._store_below(self._local)
        for folder in sorted(self._local.glob("*/")):
            ours = {self._object(file) for file in self._stored}
            for path in list(self._store.list(f"{self._path}/{folder.name}")):
                if path not in ours:
                    self._store.delete(path)

    def _store_below(self, folder: Path) -> None:
        for file in sorted(folder.rglob("*")):
            if not file.is_file() or file.is_symlink():
                continue
            about = file.stat()
            state = (about.st_size, about.st_mtime_ns)
            if self._stored.get(file) != state:
                self._store.upload(file, self._object(file))
                self._stored[file] = state

    def _object(self, file: Path) -> str:
        return f"{self._path}/{file.relative_to(self._local).as_posix()}"
