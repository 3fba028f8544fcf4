"""Archives of images: what is put into a layer is in it, once, with neither a time nor an owner of this machine."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

from scripts.oci import LayerWriter, write_archive


def layer(folder: Path) -> LayerWriter:
    writer = LayerWriter()
    writer.file("etc/name", b"first")
    writer.file("etc/name", b"second")
    writer.link("bin", "usr/bin")
    writer.tree(folder, "opt/app")
    return writer


def content(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/run").write_text("#!")
    (folder / "sub/run").chmod(0o755)
    (folder / "data").write_text("x")
    (folder / "alias").symlink_to("data")
    return folder


def test_a_layer(tmp_path: Path) -> None:
    written = layer(content(tmp_path / "app")).layer()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(written.data))) as archive:
        entries = {entry.name: entry for entry in archive}
        file = archive.extractfile("etc/name")
        assert file is not None
        assert file.read() == b"first"
    assert list(entries) == [
        "etc", "etc/name", "bin", "opt", "opt/app", "opt/app/alias", "opt/app/data", "opt/app/sub", "opt/app/sub/run",
    ]  # fmt: skip
    assert entries["bin"].linkname == "usr/bin"
    assert entries["opt/app/alias"].linkname == "data"
    assert (entries["opt/app/sub/run"].mode, entries["opt/app/data"].mode) == (0o755, 0o644)
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {(0, 0, 0)}


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    settings = {"Entrypoint": ["/run"]}
    for name in ("one", "two"):
        written = layer(content(tmp_path / name / "app")).layer()
        digest = write_archive(tmp_path / f"{name}.tar", "team/app:1", [written], settings)
        assert digest.startswith("sha256:")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert list(tmp_path.glob("*.new")) == []


def test_a_registry_with_a_port_is_no_tag(tmp_path: Path) -> None:
    write_archive(tmp_path / "image.tar", "localhost:5000/app:7", [LayerWriter().layer()], {})
    with tarfile.open(tmp_path / "image.tar") as archive:
        file = archive.extractfile("index.json")
        assert file is not None
        (described,) = json.loads(file.read())["manifests"]
    assert described["annotations"]["org.opencontainers.image.ref.name"] == "7"
