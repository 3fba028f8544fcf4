"""The figures over the seeds, from results made by hand."""

from __future__ import annotations

from typing import Any, get_args

import _records
import demo_seeds
import pytest
from reflection_api.evaluation import Contrast, EvaluationResult, PairedComparison

PAGE = _records.ROOT / "docs/results/demo-seeds.md"


def result(seed: int, change: float, *, failures: str = "a") -> dict[str, Any]:
    comparison = {"base": 0.3, "trained": 0.3 + change, "change": change}
    contrast = {"interval": [change - 0.1, change + 0.1]}
    return {
        **dict.fromkeys(demo_seeds.FIGURES.values(), comparison),
        **dict.fromkeys(demo_seeds.CONTROLS.values(), contrast),
        "seeds": [seed],
        "seconds": 100.0 + seed,
        "peakMemoryBytes": 2_000_000_000,
        "failures": failures,
    }


def summary(*changes: float) -> dict[str, Any]:
    results = [result(seed, change) for seed, change in enumerate(changes)]
    return demo_seeds.summarise(list(range(len(changes))), results)


def test_the_interval_is_students() -> None:
    """By hand: mean 0.5, standard deviation 0.1, 4.303 * 0.1 / sqrt(3) on each side."""
    figure = summary(0.4, 0.5, 0.6)["details"]["figures"]["first try"]
    assert figure["change"] == pytest.approx(0.5)
    assert figure["interval"] == pytest.approx([0.5 - 0.24844, 0.5 + 0.24844], abs=1e-4)


def test_the_committed_page_has_every_figure_and_every_aim_and_meets_them() -> None:
    record = summary(0.4, 0.5, 0.6)
    expected, page = demo_seeds.page(record), PAGE.read_text()
    assert rows(page) == rows(expected)
    assert page.count("| yes |") == len(record["metrics"])


def rows(page: str) -> list[str]:
    """What stands first in each line of a table."""
    return [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("|")]


def test_aims_are_met_or_not() -> None:
    good, bad = summary(0.4, 0.5, 0.6), summary(0.05, 0.5, 0.6)
    assert all(metric["meets"] for metric in good["metrics"])
    missed = {metric["name"] for metric in bad["metrics"] if not metric["meets"]}
    assert missed == {
        "retry success gain, worst seed",
        *(f"reflection minus {name}, lowest end of a seed's interval" for name in demo_seeds.CONTROLS),
    }


def test_every_comparison_of_the_example_is_among_the_figures() -> None:
    """A control that the evaluation adds, or renames, is not to be missed here."""
    fields = {
        (field.alias or name): field.annotation for name, field in EvaluationResult.model_fields.items()
    }
    assert {*demo_seeds.FIGURES.values(), "withoutLeaks"} == {
        n for n, kind in fields.items() if is_a(PairedComparison, kind)
    }
    assert set(demo_seeds.CONTROLS.values()) == {n for n, kind in fields.items() if is_a(Contrast, kind)}


def is_a(wanted: type, annotation: Any) -> bool:
    """Whether a field holds such a value, or may be absent and holds one otherwise."""
    return wanted in (annotation, *get_args(annotation))


def test_different_failures_are_no_seeds_of_the_same() -> None:
    with pytest.raises(SystemExit, match="different failures"):
        demo_seeds.summarise([0, 1], [result(0, 0.4), result(1, 0.5, failures="b")])


def test_the_page_says_where_it_ran() -> None:
    page = demo_seeds.page(summary(0.4, 0.5, 0.6))
    assert "| first try | 0.300 | 0.800 | +0.500 [+0.252, +0.748] | +0.400, +0.500, +0.600 |" in page
    assert "cores of" in page
    assert "| 2 | 102 | 2.00 GB |" in page
