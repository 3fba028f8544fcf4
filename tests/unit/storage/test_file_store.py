"""file:// storage: what a reader can see, and what the store says when the disk refuses."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadConfig, DependencyAway
from reflection_trainer.storage import open_store
from reflection_trainer.storage.file_store import FileStore, _failure


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore((tmp_path / "runs").as_uri())


def test_what_was_written_is_read(store: FileStore) -> None:
    store.write("a/b/one.json", b"1")
    store.write("a/b/one.json", b"2")
    assert store.read("a/b/one.json") == b"2"
    assert store.read("a/b/none.json") is None
    assert store.read("a/b/one.json/below") is None


def test_files_go_up_and_down(store: FileStore, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_bytes(b"x" * 100_000)
    store.upload(local, "shard")
    assert store.download("shard", tmp_path / "deep" / "copy")
    assert (tmp_path / "deep" / "copy").read_bytes() == b"x" * 100_000
    assert not store.download("none", tmp_path / "none")


def test_listing_is_in_order_and_leaves_out_what_is_being_written(store: FileStore, tmp_path: Path) -> None:
    for path in ("r/b", "r/a", "r/c/d", "other"):
        store.write(path, b"")
    (tmp_path / "runs" / "r" / ".partial-123").touch()
    assert list(store.list("r")) == ["r/a", "r/b", "r/c/d"]
    assert list(store.list("nothing")) == []


def test_the_folder_goes_with_its_last_file(store: FileStore, tmp_path: Path) -> None:
    store.write("r/a", b"")
    store.write("r/b", b"")
    store.delete("r/a")
    assert store.read("r/b") == b""
    store.delete("r/b")
    store.delete("r/b")
    assert not (tmp_path / "runs" / "r").exists()


def test_clearing_leaves_nothing_of_the_root_and_all_beside_it(store: FileStore, tmp_path: Path) -> None:
    for path in ("r/a", "b"):
        store.write(path, b"")
    (tmp_path / "runs" / "r" / ".partial-123").touch()
    (tmp_path / "runs-2").mkdir()
    assert store.clear() == 3
    assert store.clear() == 0
    assert [file.name for file in tmp_path.iterdir()] == ["runs-2"]


def test_a_reader_never_sees_half_an_object(store: FileStore) -> None:
    """One thread replaces an object of one letter by one of another; a reader must see one letter only."""
    size, letters = 1 << 20, (b"a", b"b")
    store.write("object", letters[0] * size)
    stop = threading.Event()

    def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            store.write("object", letters[turn % 2] * size)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {store.read("object") for _ in range(200)}
    finally:
        stop.set()
        writer.join()
    assert seen <= {letter * size for letter in letters}
    assert len(seen) == 2


def test_writers_and_deletes_in_one_folder_do_not_disturb_each_other(store: FileStore) -> None:
    errors: list[Exception] = []

    def work(name: str) -> None:
        try:
            for _ in range(300):
                store.write(f"shared/{name}", b"x")
                store.delete(f"shared/{name}")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_failed_write_keeps_the_old_object_and_leaves_nothing(store: FileStore, tmp_path: Path) -> None:
    store.write("object", b"old")
    with pytest.raises(BadConfig):
        store.upload(tmp_path, "object")  # a folder cannot be copied as a file
    assert store.read("object") == b"old"
    assert [file.name for file in (tmp_path / "runs").iterdir()] == ["object"]


def test_files_are_as_readable_as_others_of_this_user(store: FileStore, tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        store.write("object", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "runs" / "object").stat().st_mode) == 0o644


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(BadConfig) as caught:
        FileStore((tmp_path / "runs").as_uri()).write("default/x", b"")
    assert caught.value.reason == Reason.STORAGE_DENIED
    assert "spec.storage.uri must be a folder" in caught.value.message
    assert f"{(tmp_path / 'runs').as_uri()}/default/x" in caught.value.message


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        (errno.ENOSPC, DependencyAway, Reason.STORAGE_FULL),
        (errno.EDQUOT, DependencyAway, Reason.STORAGE_FULL),
        (errno.EROFS, BadConfig, Reason.STORAGE_DENIED),
        (errno.EACCES, BadConfig, Reason.STORAGE_DENIED),
        (errno.ENOENT, BadConfig, Reason.STORAGE_DENIED),
        (errno.EIO, DependencyAway, Reason.STORAGE_UNAVAILABLE),
        (errno.ESTALE, DependencyAway, Reason.STORAGE_UNAVAILABLE),
    ],
)
def test_every_error_has_its_reason(number: int, kind: type, reason: Reason) -> None:
    failure = _failure(OSError(number, os.strerror(number)), "write", "file:///x")
    assert type(failure) is kind
    assert failure.reason == reason
    assert failure.message.startswith(f"storage: cannot write file:///x: {os.strerror(number)}; ")
    assert "spec.storage.uri" in failure.message


@pytest.mark.parametrize("uri", ["file://relative", "ftp://x", "/folder"])
def test_other_schemes_are_refused(uri: str) -> None:
    with pytest.raises(BadConfig) as caught:
        open_store(uri)
    assert caught.value.reason == Reason.INVALID_SPEC
    assert caught.value.message.startswith(f"spec.storage.uri: {uri}: ")


def test_names_with_spaces_and_percent_signs(tmp_path: Path) -> None:
    store = FileStore((tmp_path / "my runs 100%").as_uri())
    store.write("x", b"1")
    assert (tmp_path / "my runs 100%" / "x").read_bytes() == b"1"


def test_folders_go_with_the_last_file_in_them(store: FileStore, tmp_path: Path) -> None:
    store.write("runs/1/metrics/reward", b"x")
    store.write("runs/2", b"x")
    store.delete("runs/1/metrics/reward")
    assert [path.name for path in (tmp_path / "runs/runs").iterdir() if path.is_dir()] == []
    assert store.read("runs/2") == b"x"
