"""Two files: nothing in both, nothing lost, the same every time."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_trainer.errors import BadConfig
from reflection_trainer.tasks.row import TaskRow
from reflection_trainer.tasks.write import free_folder, write_split


@given(
    keys=st.lists(st.integers(0, 30), min_size=2, max_size=60).filter(lambda found: len(set(found)) > 1),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_a_question_is_on_one_side_and_no_row_is_lost(tmp_path_factory, keys, share, seed):
    folder = tmp_path_factory.mktemp("split")
    rows = [TaskRow(str(key), {"prompt": f"q{key}", "n": n}) for n, key in enumerate(keys)]
    written = write_split(rows, folder, count=None, share=share, seed=seed)
    train, held_out = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in written
    )
    assert list(written.values()) == [len(train), len(held_out)]
    assert {row["prompt"] for row in train} & {row["prompt"] for row in held_out} == set()
    assert sorted(row["n"] for row in train + held_out) == list(range(len(keys)))
    assert held_out
    assert [row["n"] for row in train] == sorted(row["n"] for row in train), "the order stays"
    again = write_split(rows, folder, count=None, share=share, seed=seed)
    assert again == written
    assert [json.loads(line) for line in next(iter(again)).read_text().splitlines()] == train


def test_one_question_cannot_be_split(tmp_path):
    with pytest.raises(BadConfig, match="all rows have one question, so that none can be held out"):
        write_split([TaskRow("q", {})] * 3, tmp_path, count=None, share=0.1, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_replaced_unasked(tmp_path):
    folder = free_folder(str(tmp_path / "new"), force=False)
    (folder / "heldout.jsonl").write_text("mine")
    with pytest.raises(BadConfig, match=r"heldout.jsonl is there already; give another folder, or --force"):
        free_folder(str(folder), force=False)
    assert free_folder(str(folder), force=True) == folder
