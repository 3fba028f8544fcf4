"""`file://` storage: a folder of this machine, for `reflect run`."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

from reflection_api.reasons import Reason

from ..errors import NO_SPACE, BadConfig, DependencyAway, StageFailure
from .store import ABSENT, ANY, PARTIAL, Changed, Stored

_ATTEMPTS = 100
_CHUNK = 1 << 20
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG)


class FileStore:
    """Objects are files below a folder. A write goes to a temporary file beside the target, is synced, then renamed."""

    def __init__(self, root_uri: str) -> None:
        self._root_uri = root_uri.rstrip("/")
        self._folder = Path(unquote(urlparse(root_uri).path))

    @property
    def root(self) -> str:
        return self._root_uri

    def uri(self, path: str) -> str:
        return f"{self._root_uri}/{path}"

    def read(self, path: str) -> bytes | None:
        with _explained("read", self.uri(path)):
            try:
                return self._at(path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, path: str, data: bytes, *, expected: str = ANY) -> str:
        return self._replace(path, lambda temporary: temporary.write_bytes(data), expected)

    def upload(self, local: Path, path: str, *, expected: str = ANY) -> Stored:
        digest = hashlib.sha256()
        version = self._replace(path, lambda temporary: _copy(local, temporary, digest.update), expected)
        return Stored(version, digest.hexdigest(), int(version.rsplit("-", 1)[1]))

    def download(self, path: str, local: Path) -> bool:
        with _explained("read", self.uri(path)):
            local.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(self._at(path), local)
            except FileNotFoundError:
                return False
            return True

    def versions(self, start: str) -> dict[str, str]:
        folder = start.rpartition("/")[0]
        with _explained("list", self.uri(folder)):
            found = {
                path: _version(file)
                for file in self._at(folder).rglob("*")
                if not file.name.startswith(PARTIAL) and file.is_file()
                # Not the file system's own notion of a prefix: the one of object storage, character by character.
                if (path := file.relative_to(self._folder).as_posix()).startswith(start)
            }
        # A file may have gone since it was listed.
        return {path: found[path] for path in sorted(found) if found[path] != ABSENT}

    def list(self, prefix: str) -> Iterator[str]:
        yield from self.versions(f"{prefix}/")

    def sweep(self, prefix: str) -> int:
        with _explained("list", self.uri(prefix)):
            remains = list(self._at(prefix).rglob(f"{PARTIAL}*"))
            for file in remains:
                file.unlink(missing_ok=True)
        return len(remains)

    def clear(self) -> int:
        with _explained("delete", self._root_uri):
            count = sum(file.is_file() for file in self._folder.rglob("*"))
            if self._folder.exists():
                shutil.rmtree(self._folder)
        return count

    def delete(self, path: str) -> None:
        with _explained("delete", self.uri(path)):
            target = self._at(path)
            target.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # folders go with the last file that is in them
                for folder in Path(path).parents[:-1]:
                    (self._folder / folder).rmdir()

    def _at(self, path: str) -> Path:
        return self._folder / path

    def _replace(self, path: str, fill: Callable[[Path], object], expected: str) -> str:
        target = self._at(path)
        with _explained("write", self.uri(path)):
            temporary = _new_file_beside(target)
            try:
                fill(temporary)
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
                with _locked(target.parent):
                    if expected not in (ANY, _version(target)):
                        raise Changed(self.uri(path))
                    temporary.replace(target)
                    return _version(target)
            finally:
                temporary.unlink(missing_ok=True)


def _copy(source: Path, target: Path, seen: Callable[[bytes], object]) -> None:
    with source.open("rb") as data, target.open("wb") as copy:
        while chunk := data.read(_CHUNK):
            seen(chunk)
            copy.write(chunk)


def _version(file: Path) -> str:
    """What changes whenever the file is replaced."""
    try:
        found = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other writers; the kernel lets go of it when this process dies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _new_file_beside(target: Path) -> Path:
    """An empty file in the target's folder; as long as it is there, no other process takes the folder away."""
    for _ in range(_ATTEMPTS):
        # A delete elsewhere took the empty folder in between: before the new file came, or while mkdir looked at
        # what it had found (then it says that something exists, and no more).
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            return _create(target.parent)
    return _create(target.parent)


def _create(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PARTIAL}{uuid.uuid4().hex}"
    path.touch(exist_ok=False)
    return path


@contextlib.contextmanager
def _explained(doing: str, uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failure(error, doing, uri) from error


def _failure(error: OSError, doing: str, uri: str) -> StageFailure:
    what = f"storage: cannot {doing} {uri}: {error.strerror or error}"
    if error.errno in NO_SPACE:
        return DependencyAway(
            f"{what}; free space there, or start a run with a larger spec.storage.uri",
            reason=Reason.STORAGE_FULL,
        )
    if error.errno in _REFUSED + _NO_FOLDER:
        return BadConfig(
            f"{what}; spec.storage.uri must be a folder that this user can write",
            reason=Reason.STORAGE_DENIED,
        )
    return DependencyAway(
        f"{what}; look after the disk or the mount of spec.storage.uri", reason=Reason.STORAGE_UNAVAILABLE
    )
