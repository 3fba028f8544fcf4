"""The page of the measurements: what is missed is explained, and the operator's figures in any case."""

from __future__ import annotations

import json
from typing import Any

import _page
import pytest
from _records import metric

MACHINE = {"date": "2026-01-01", "commit": "abc", "cores": 2, "processor": "a processor"}


@pytest.fixture
def written(tmp_path, monkeypatch) -> Any:
    """Writes the page of one record with such a value, whose aim is 1; how that ended, and the page."""
    monkeypatch.setattr(_page, "WORK", tmp_path)

    def write(name: str, value: float) -> tuple[int, str]:
        record = {
            "name": name,
            "metrics": [metric("it", value, "ratio", ">=", 1)],
            "details": {"machine": MACHINE},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
        monkeypatch.setattr("sys.argv", ["_page.py", str(tmp_path / "page.md")])
        return _page.main(), (tmp_path / "page.md").read_text()

    return write


def test_every_measurement_has_a_place_for_what_bounds_it() -> None:
    assert _page.BOUNDS.keys() == _page.TITLES.keys()
    assert _page.NOTES.keys() <= _page.TITLES.keys()


def test_what_bounds_it_stands_where_an_aim_is_missed(written, monkeypatch) -> None:
    monkeypatch.setitem(_page.BOUNDS, "refill", "Bound by the moon.")
    code, page = written("refill", 0.5)
    assert code == 0
    assert "Bound by the moon." in page
    code, page = written("refill", 1.5)
    assert code == 0
    assert "Bound by the moon." not in page
    assert _page.NOTES["refill"] in page


@pytest.mark.parametrize("name", _page.ALWAYS_BOUND)
def test_what_bounds_the_operator_stands_in_any_case(written, name: str) -> None:
    assert len(_page.BOUNDS[name]) > 50
    for value in (0.5, 1.5):
        assert _page.BOUNDS[name] in written(name, value)[1]


def test_a_missed_aim_without_a_reason_is_said(written, monkeypatch, capsys) -> None:
    monkeypatch.setitem(_page.BOUNDS, "refill", "")
    code, page = written("refill", 0.5)
    assert code == 1
    assert "| it | 0.5 ratio | >= 1 | no |" in page
    assert "refill misses an aim" in capsys.readouterr().err


def test_a_soak_is_called_by_its_own_name(written) -> None:
    _, page = written("operator_soak", 1)
    assert "`make soak ONLY=operator` on 2026-01-01" in page
    assert "`make soak ONLY=training` on 2026-01-01" in written("training_soak", 1)[1]
    assert "`make bench ONLY=refill` on 2026-01-01" in written("refill", 1)[1]


def test_a_profile_is_shown() -> None:
    assert _page.profile_table({"aiohttp": 0.251, "json": 0.1})[2:] == ["| aiohttp | 25% |", "| json | 10% |"]


def test_what_was_not_measured_again_keeps_its_part(written, tmp_path) -> None:
    _, first = written("refill", 1.5)
    (tmp_path / "refill.json").unlink()
    _, page = written("verify", 2)
    part = first[first.index("## Refilling") :].rstrip()
    assert part in page
    assert page.index("## Refilling") < page.index("## Judging")
    assert written("verify", 2)[1] == page, "written again it is the same"
