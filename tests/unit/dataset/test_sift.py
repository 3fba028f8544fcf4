"""Right and wrong answers are told apart, counted and, where asked, kept once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reflection_api.reasons import Reason
from reflection_trainer.errors import BadData
from reflection_trainer.rollout.table import SCHEMA
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.sift import Sift


def attempt(question: str, number: int, completion: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{question}-{number:02d}",
        "question_id": question,
        "messages": [{"role": "user", "content": f"make 7, {question}"}],
        "completion": completion,
        "attempt": number,
        "seed": 10 + number,
        "tokens": 3,
        "truncated": False,
        "row": json.dumps({"nums": [3, 4], "target": 7}),
    } | changes


def sift(
    tmp_path: Path, rows: list[dict[str, Any]], *, deduplicate: bool = False
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), tmp_path / "attempts.parquet")
    done: list[int] = []
    counts = Sift(make_verifier("countdown"), deduplicate=deduplicate).run(
        tmp_path / "attempts.parquet", tmp_path / "failures.parquet", done.append
    )
    assert done[-1:] == [len(rows)] or not rows
    assert done == sorted(done)
    return dict(counts), pq.read_table(tmp_path / "failures.parquet").to_pylist()


def test_wrong_answers_are_kept_as_they_are_with_their_reason(tmp_path: Path) -> None:
    rows = [attempt("q1", 0, "3 + 4"), attempt("q1", 1, "3 * 4"), attempt("q2", 0, "no idea")]
    counts, failures = sift(tmp_path, rows)
    assert counts == {
        "attempts": 3, "correct": 1, "failures": 2, "duplicates": 0, "reason.missed_target": 1, "reason.no_equation": 1,
    }  # fmt: skip
    assert failures[0] == {
        "id": "q1-01",
        "messages": [{"role": "user", "content": "make 7, q1"}],
        "completion": "3 * 4",
        "reason": "missed_target",
        "attempt": 1,
        "seed": 11,
        "row": json.dumps({"nums": [3, 4], "target": 7}),
    }
    assert [failure["id"] for failure in failures] == ["q1-01", "q2-00"]


def test_equal_texts_of_a_question_are_kept_once_if_asked(tmp_path: Path) -> None:
    texts = [("q1", "x"), ("q1", "y"), ("q1", "x"), ("q1", "3 + 4"), ("q2", "x"), ("q2", "x")]
    rows = [attempt(question, number, text) for number, (question, text) in enumerate(texts)]
    counts, failures = sift(tmp_path, rows, deduplicate=True)
    assert [(failure["id"], failure["completion"]) for failure in failures] == [
        ("q1-00", "x"), ("q1-01", "y"), ("q2-04", "x"),
    ]  # fmt: skip
    assert counts["duplicates"] == 2
    assert counts["attempts"] == counts["correct"] + counts["failures"] + counts["duplicates"] == 6
    assert len(sift(tmp_path, rows)[1]) == 5


def test_repetition_is_found_across_batches(tmp_path: Path) -> None:
    rows = [attempt("q1", number, "x") for number in range(3000)]
    counts, failures = sift(tmp_path, rows, deduplicate=True)
    assert (counts["failures"], counts["duplicates"], len(failures)) == (1, 2999, 1)


def test_everything_right_leaves_a_table_without_rows(tmp_path: Path) -> None:
    counts, failures = sift(tmp_path, [attempt("q", number, "4 + 3") for number in range(5)])
    assert counts == {"attempts": 5, "correct": 5, "failures": 0, "duplicates": 0}
    assert failures == []


def test_plain_datasets_reads_failures_after_a_batch_without_any(tmp_path: Path) -> None:
    rows = [attempt("q", number, "3 + 4" if number < 2000 else "wrong") for number in range(2100)]
    sift(tmp_path, rows)
    loaded = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "failures.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert len(loaded) == 100


def test_hostile_completions_are_wrong_and_nothing_else(tmp_path: Path) -> None:
    texts = ["\x00", "9" * 200_000, "(" * 50_000, "__import__('os').system('false')", "<answer>" * 10_000, ""]
    counts, failures = sift(tmp_path, [attempt("q", number, text) for number, text in enumerate(texts)])
    assert counts["failures"] == len(texts)
    assert [failure["completion"] for failure in failures] == texts


def test_a_row_that_cannot_be_judged_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData) as caught:
        sift(tmp_path, [attempt("q1", 0, "x"), attempt("q2", 0, "x", row="{}")])
    assert caught.value.reason == Reason.INVALID_PROMPTS
    assert 'an answer between q1-00 and q2-00 cannot be judged: row has no "nums"' in caught.value.message
