"""Parts of resources that pages show: the command line finds nothing wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from reflection_api.validation import check_text

from ...support.pages import fences
from ..api.resources import resource

ROOT = Path(__file__).parents[3]
PAGES = ("docs/evaluation.md", "docs/training.md")


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {
        name: laid_over(below[name], value)
        if isinstance(value, dict) and isinstance(below.get(name), dict)
        else value
        for name, value in above.items()
    }
    return below | both


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_of_a_spec_is_right(page: str) -> None:
    parts = [yaml.safe_load(fence.text) for fence in fences(ROOT / page) if fence.language == "yaml"]
    assert parts
    for part in parts:
        checked = check_text(yaml.safe_dump(laid_over(resource(), part)).encode(), page, local=False)
        assert checked.problems == []
        assert len(checked.resources) == 1
