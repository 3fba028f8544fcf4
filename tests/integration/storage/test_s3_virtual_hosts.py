"""`pathStyle: false` with a server of one's own: the bucket is in the host's name, and in what is signed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from reflection_trainer.storage.s3.unfinished import unfinished
from reflection_trainer.storage.store import ABSENT, Changed

from ...support.s3_server import S3Server
from .files import PART, local_file

DOMAIN = "s3.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("hosts"), options=("--virtual-domain", DOMAIN)) as server:
        yield server


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names below the domain that were looked up; they all lead to loopback."""
    found: set[str] = set()
    look_up = socket.getaddrinfo

    def looked_up(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not name.endswith(DOMAIN):
            return look_up(host, *rest, **more)
        found.add(name)
        return look_up("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    return found


def test_everything_goes_to_the_host_of_the_bucket(server, asked, open_s3, tmp_path: Path) -> None:
    bucket = server.new_bucket()
    store = open_s3(f"http://{DOMAIN}:{server.port}", bucket=bucket, pathStyle=False)
    store.write("a name/with+signs.json", b"1")
    assert store.read("a name/with+signs.json") == b"1"
    assert store.read("none") is None
    local = local_file(tmp_path, 2 * PART + 5)
    version = store.upload(local, "shard", expected=ABSENT).version
    with pytest.raises(Changed):
        store.upload(local, "shard", expected=ABSENT)
    assert store.versions("shard") == {"shard": version}
    assert store.download("shard", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == local.read_bytes()
    assert list(unfinished(store._connection, bucket, "team/")) == []
    store.delete("shard")
    assert list(store.versions("")) == ["a name/with+signs.json"]
    assert (server.objects / bucket / "team/runs/default/run-1/a name/with+signs.json").read_bytes() == b"1"
    assert asked == {f"{bucket}.{DOMAIN}"}
