"""The measurement of the verifiers measures: each judges what it is given, and what is not linear is told."""

from __future__ import annotations

import pytest
import verify
from reflection_trainer.verify.registry import BUILDERS

FEW = 4


def test_every_verifier_is_measured() -> None:
    assert verify.CASES.keys() == BUILDERS.keys()
    for name, case in verify.CASES.items():
        assert case.items == (1_000 if name == "code" else 100_000)


@pytest.mark.parametrize("name", sorted(verify.CASES))
def test_right_and_wrong_items_come_by_turns(name: str) -> None:
    run = verify.judge(name, verify.CASES[name], FEW)
    assert run.items == FEW
    assert run.seconds > 0
    assert run.largest_megabytes >= run.own_megabytes > 1


def test_a_verifier_that_finds_something_else_right_ends_the_measurement() -> None:
    always = verify.Case(FEW, 1, lambda n: verify.exact(2 * n))
    with pytest.raises(SystemExit, match="exact: exit 0, 4 of 4 right, not 2"):
        verify.judge("exact", always, FEW)


@pytest.mark.parametrize(("power", "ratio", "met"), [(1, 1.0, True), (2, 2.0, False)])
def test_what_is_not_linear_is_told(power: int, ratio: float, met: bool) -> None:
    runs = [verify.Run(items, items**power / 1_000_000, 100.0, 200.0) for items in (25_000, 50_000, 100_000)]
    rate, linear, memory = verify.figures("exact", runs)
    assert rate["value"] == pytest.approx(100_000 / runs[-1].seconds)
    assert (linear["value"], linear["meets"]) == (pytest.approx(ratio), met)
    assert memory["value"] == 0


@pytest.mark.parametrize("grown", [0, 1], ids=["the process itself", "the largest"])
def test_memory_that_grows_in_either_process_is_told(grown: int) -> None:
    def run(items: int) -> verify.Run:
        peaks = [100.0, 200.0]
        peaks[grown] += items / 1_000
        return verify.Run(items, items / 1_000, *peaks)

    *_, memory = verify.figures("code", [run(items) for items in (25_000, 50_000, 100_000)])
    assert (memory["value"], memory["meets"]) == (75, False)
