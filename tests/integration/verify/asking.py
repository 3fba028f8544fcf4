"""Asking a service of one's own, for tests."""

from __future__ import annotations

import time
from typing import Any

import pytest
from reflection_api.items import Item
from reflection_trainer.errors import StageFailure
from reflection_trainer.patience import Patience
from reflection_trainer.verify.configured import HttpOptions
from reflection_trainer.verify.remote.access import Access
from reflection_trainer.verify.remote.service import Service
from reflection_trainer.verify.remote.verifier import RemoteVerifier

SOON = Patience(3.0)
ENDED = 20.0
"""Seconds within which everything here ends, on any machine."""


def items(count: int, completion: str = "{n} right", **fields: Any) -> list[Item]:
    return [Item(id=f"i{n}", completion=completion.format(n=n), **fields) for n in range(count)]


def service(url: str, *, patience: Patience = SOON, **access: Any) -> Service:
    return Service(Access(url, **access), patience)


def verifier(url: str, **how: Any) -> RemoteVerifier:
    return RemoteVerifier("http", HttpOptions(url=url), service(url, **how))


def failure(url: str, count: int = 1, **how: Any) -> StageFailure:
    began = time.monotonic()
    with pytest.raises(StageFailure) as caught:
        service(url, **how).judge(items(count))
    assert time.monotonic() - began < ENDED
    return caught.value


def told(found: StageFailure) -> tuple[int, str]:
    return int(found.exit_code), found.reason.value
