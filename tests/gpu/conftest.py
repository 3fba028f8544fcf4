"""What only a GPU can show: `make gpu`. Elsewhere every test is collected and left out with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
WITHOUT = "no GPU that torch can use is here"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    there = torch.cuda.is_available()
    for item in items:
        if HERE in item.path.parents and not there:
            item.add_marker(pytest.mark.skip(reason=WITHOUT))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, with heads of a size that vLLM attends with."""
    from ..integration.train import tiny

    return tiny.write_model(tmp_path_factory.mktemp("model"), head_dim=64, dtype=torch.bfloat16)
