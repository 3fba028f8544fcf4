"""Objects of a real S3 server: whole, in parts, on conditions, many of them."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from reflection_trainer.errors import CorruptArtifact
from reflection_trainer.storage.s3 import S3Store
from reflection_trainer.storage.s3.parts import MIB
from reflection_trainer.storage.s3.unfinished import unfinished
from reflection_trainer.storage.store import ABSENT, Changed

from .files import PART, local_file

LARGE = 2 * PART + 5


def test_what_was_written_is_read(store: S3Store, s3_server, bucket) -> None:
    store.write("a/b/one.json", b"1")
    store.write("a/b/one.json", b"2")
    assert store.read("a/b/one.json") == b"2"
    assert store.read("a/b/none.json") is None
    key = "team/runs/default/run-1/a/b/one.json"
    assert s3_server.client().get_object(Bucket=bucket, Key=key)["Body"].read() == b"2"
    assert store.uri("a/b/one.json") == f"s3://{bucket}/{key}"


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, LARGE])
def test_files_go_up_and_down(store: S3Store, tmp_path: Path, size: int) -> None:
    local = local_file(tmp_path, size)
    version = store.upload(local, "shard").version
    assert store.versions("shard") == {"shard": version}
    assert store.download("shard", tmp_path / "deep" / "copy")
    assert (tmp_path / "deep" / "copy").read_bytes() == local.read_bytes()
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["copy"]


def test_what_is_not_there_is_not_downloaded(store: S3Store, tmp_path: Path) -> None:
    assert not store.download("none", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [3, LARGE])
def test_a_write_on_a_condition_has_one_winner(store: S3Store, tmp_path: Path, size: int) -> None:
    first, second = (local_file(tmp_path, size, name) for name in ("first", "second"))
    version = store.upload(first, "object", expected=ABSENT).version
    with pytest.raises(Changed):
        store.upload(second, "object", expected=ABSENT)
    with pytest.raises(Changed):
        store.upload(second, "object", expected='"0123456789abcdef0123456789abcdef"')
    with pytest.raises(Changed):
        store.upload(second, "none", expected=version)
    store.download("object", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == first.read_bytes()
    newer = store.upload(second, "object", expected=version).version
    store.download("object", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == second.read_bytes()
    with pytest.raises(Changed):
        store.upload(first, "object", expected=version)
    assert store.versions("") == {"object": newer}


def test_a_refused_upload_leaves_no_parts(store: S3Store, tmp_path: Path, s3_server, bucket) -> None:
    local = local_file(tmp_path, LARGE)
    store.write("object", b"first")
    with pytest.raises(Changed):
        store.upload(local, "object", expected=ABSENT)
    assert "Uploads" not in s3_server.client().list_multipart_uploads(Bucket=bucket)


def test_what_a_killed_writer_left_goes_with_the_next_write_of_the_object(
    store: S3Store, tmp_path: Path, s3_server, bucket
) -> None:
    client, prefix = s3_server.client(), "team/runs/default/run-1/"
    for name in ("object", "object", "object-2", "other"):
        client.create_multipart_upload(Bucket=bucket, Key=f"{prefix}{name}")
    store.upload(local_file(tmp_path, LARGE), "object")
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert sorted(upload["Key"] for upload in left) == [f"{prefix}object-2", f"{prefix}other"]


def test_a_sweep_takes_the_unfinished_of_a_folder(store: S3Store, s3_server, bucket) -> None:
    client, prefix = s3_server.client(), "team/runs/default/run-1/"
    for name in ("round-1/train/checkpoint-5/a", "round-1/train/b", "round-1/train-2/c", "round-1/d"):
        client.create_multipart_upload(Bucket=bucket, Key=f"{prefix}{name}")
    assert store.sweep("round-1/train") == 2
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert sorted(upload["Key"] for upload in left) == [f"{prefix}round-1/d", f"{prefix}round-1/train-2/c"]


def test_unfinished_uploads_have_no_end_at_a_thousand(store: S3Store, s3_server, bucket) -> None:
    client, prefix = s3_server.client(max_pool_connections=8), "team/runs/default/run-1/round-1/"
    keys = [f"{prefix}{number:04d}" for number in range(1003)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.create_multipart_upload(Bucket=bucket, Key=key), keys))
    assert client.list_multipart_uploads(Bucket=bucket)["IsTruncated"]
    assert [found.key for found in unfinished(store._connection, bucket, prefix)] == keys
    assert store.sweep("round-1") == len(keys)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_listing_has_no_end_at_a_thousand(store: S3Store, s3_server, bucket) -> None:
    """The server takes files for objects: quicker than as many requests."""
    folder = s3_server.objects / bucket / "team/runs/default/run-1/many"
    folder.mkdir(parents=True)
    names = [f"{number:05d}" for number in range(2100)]
    for name in names:
        (folder / name).write_text(name)
    assert list(store.list("many")) == [f"many/{name}" for name in names]
    assert set(store.versions("many/000")) == {f"many/000{number:02d}" for number in range(100)}


def test_listing_keeps_to_the_folder_and_leaves_out_probes_and_markers(
    store: S3Store, s3_server, bucket
) -> None:
    for path in ("r/b", "r/a", "r/c/d", "r2/e", "other", "r/.partial-0"):
        store.write(path, b"")
    s3_server.client().put_object(Bucket=bucket, Key="team/runs/default/run-1/r/folder/", Body=b"")
    assert list(store.list("r")) == ["r/a", "r/b", "r/c/d"]
    assert list(store.list("nothing")) == []


def test_what_is_deleted_is_gone(store: S3Store) -> None:
    store.write("a", b"")
    store.delete("a")
    store.delete("a")
    assert store.read("a") is None


@pytest.mark.parametrize("name", ["with space", "100%", "a+b", "ümläut", "a=b&c", "#1", "~x"])
def test_names_are_taken_as_they_are(store: S3Store, name: str) -> None:
    store.write(f"folder/{name}", b"1")
    assert store.read(f"folder/{name}") == b"1"
    assert list(store.list("folder")) == [f"folder/{name}"]


def test_the_root_may_be_a_whole_bucket(open_s3, bucket) -> None:
    store = S3Store(f"s3://{bucket}", open_s3()._connection)
    store.write("a/b", b"1")
    assert (list(store.list("a")), store.read("a/b")) == (["a/b"], b"1")


def test_an_object_that_cannot_be_a_manifest_is_not_read_into_memory(
    store: S3Store, s3_server, bucket
) -> None:
    folder = s3_server.objects / bucket / "team/runs/default/run-1"
    folder.mkdir(parents=True)
    with (folder / "manifest.json").open("wb") as sparse:
        sparse.truncate(65 * MIB)
    with pytest.raises(
        CorruptArtifact, match=r"manifest.json has 68157440 bytes where a small object is expected"
    ):
        store.read("manifest.json")


def test_memory_does_not_grow_with_the_object(store: S3Store, tmp_path: Path) -> None:
    """Twenty parts up and down, of which four are on their way at a time."""
    local = local_file(tmp_path, 20 * PART)
    tracemalloc.start()
    try:
        store.upload(local, "large")
        store.download("large", tmp_path / "copy")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * PART
