"""Means and their intervals, against figures made by hand."""

from __future__ import annotations

import math

import _intervals
import pytest


def test_the_interval_is_students() -> None:
    """By hand: mean 0.5, standard deviation 0.1, standard error 0.1 / sqrt(3), 4.303 of them on each side."""
    found = _intervals.summary([0.4, 0.5, 0.6])
    assert found["standardError"] == pytest.approx(0.057735, abs=1e-6)
    assert found["interval"] == pytest.approx([0.5 - 0.24844, 0.5 + 0.24844], abs=1e-4)


def test_one_value_has_no_interval_and_no_gain() -> None:
    found = _intervals.summary([0.4])
    assert found["mean"] == 0.4
    assert math.isnan(found["interval"][0])
    assert [figure["meets"] for figure in _intervals.gain("it", [0.4], "fraction", 0)] == [True, False]


def test_more_values_than_the_table_has_are_no_surer_than_its_last() -> None:
    found = _intervals.summary([0.0, 1.0] * 10)
    assert found["interval"][1] - found["mean"] == pytest.approx(2.262 * found["standardError"])


def test_noise_is_no_gain() -> None:
    noise, gain = (
        _intervals.gain("it", values, "fraction", 0) for values in ([-0.1, 0.0, 0.2], [0.09, 0.1, 0.11])
    )
    assert [figure["meets"] for figure in noise] == [True, False], "its mean is above 0, its interval is not"
    assert [figure["meets"] for figure in gain] == [True, True]
