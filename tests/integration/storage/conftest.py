"""A bucket of its own for every test, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from reflection_api.spec import StorageSpec
from reflection_trainer.patience import Patience
from reflection_trainer.storage.s3 import Connection, S3Store

from ...support.certificates import Authority
from ...support.s3_server import ROOT, S3Server
from .files import PART

QUICK = Patience(6.0)
"""As the default, thirty times faster."""


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket()


@pytest.fixture
def open_s3(s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., S3Store]:
    """Opens a store below the test's bucket, with the root's key unless the environment holds another one."""
    for name, value in ROOT.environment.items():
        monkeypatch.setenv(name, value)

    def opened(endpoint: str = s3_server.endpoint, *, prefix: str = "team/runs", **settings: Any) -> S3Store:
        patience = settings.pop("patience", QUICK)
        spec = StorageSpec(
            uri=f"s3://{settings.pop('bucket', bucket)}/{prefix}", endpoint=endpoint, **settings
        )
        return S3Store(f"{spec.uri}/default/run-1", Connection(spec, patience=patience), part=PART)

    return opened


@pytest.fixture
def store(open_s3: Callable[..., S3Store]) -> S3Store:
    return open_s3()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, Path]]:
    """A server with a certificate, and the file of the authority that signed it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    certificate, key = authority.server("s3")
    with S3Server(
        folder / "s3", options=("--cert", str(certificate), "--key", str(key)), scheme="https"
    ) as server:
        yield server, authority.certificate
