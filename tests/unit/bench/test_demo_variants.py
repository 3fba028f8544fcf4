"""The demo in other ways: all train on the same failures, and none is taken for another one that has finished."""

from __future__ import annotations

from typing import Any

import _demo
import demo_variants
import pytest


def result(failures: str) -> dict[str, Any]:
    return {
        "failures": failures,
        "retrySuccess": {"change": 0.3},
        "reflectionAgainstFresh": {"interval": [-0.1, 0.1]},
    }


def test_aims_are_met_or_not() -> None:
    figures = demo_variants.figures({"LoRA": result("a"), "colocate": result("a")})
    assert [(figure["name"], figure["meets"]) for figure in figures] == [
        ("LoRA: retry success gain", True),
        ("LoRA: reflection minus fresh try, low end", False),
        ("colocate: retry success gain", True),
        ("colocate: reflection minus fresh try, low end", False),
    ]


def test_other_failures_are_no_variant() -> None:
    with pytest.raises(SystemExit, match="different failures"):
        demo_variants.figures({"LoRA": result("a"), "colocate": result("b")})


def test_a_variant_is_kept_by_its_settings() -> None:
    settings = list(demo_variants.VARIANTS.values())
    assert len({_demo.workdir_of("variant", each) for each in settings}) == len(settings)
    assert _demo.workdir_of("it", {"a": 1, "b": 2}) == _demo.workdir_of("it", {"b": 2, "a": 1})
    assert _demo.workdir_of("seed-0", {}).name == f"demo-seed-0-{_demo.machine()['commit']}"
