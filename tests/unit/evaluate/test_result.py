"""From transcripts with known answers to the result."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.evaluation import EvaluationResult
from reflection_api.manifests import Manifest
from reflection_trainer.evaluate.result import build_result, metrics_of, note, on_train_prompts
from reflection_trainer.evaluate.tally import Tally
from reflection_trainer.evaluate.transcripts import (
    TOO_LONG,
    CrossedRetry,
    FirstAnswer,
    Transcript,
    read_rows,
    write_rows,
)

COMPARISONS = ("firstTry", "secondTry", "retrySuccess", "freshTry", "shuffled")


def first(question, attempt, correct):
    return FirstAnswer(
        question, f"text of {question}", attempt, "...", correct, "correct" if correct else "wrong_value"
    )


def second(question, attempt, retry, *, fixed, fresh=None, shuffled=None, **others):
    values = {
        "question_id": question, "question": f"text of {question}", "attempt": attempt, "fixed": fixed,
        "failed": "...", "reason": "wrong_value",
        "reflection": "r", "reflection_tokens": 4, "reflection_truncated": False, "leak": False,
        "retry": "x", "retry_correct": retry, "retry_reason": "correct" if retry else "wrong_value",
        "fresh": None if fresh is None else "x", "fresh_correct": fresh,
        "shuffled_retry": None if shuffled is None else "x", "shuffled_correct": shuffled,
    }  # fmt: skip
    return Transcript(**(values | others))


def tallies(crossed=()):
    """Two questions, two answers each.

    base:    a right, wrong; b wrong, wrong. Its retries on these three failures: right, wrong, wrong.
    trained: a wrong, right; b wrong, right. Retries on the base model's failures: right, right, wrong; on its own two: wrong
    (a), right (b).
    """
    base = Tally(own_are_fixed=True)
    base.add(
        [first("a", 0, True), first("a", 1, False), first("b", 0, False), first("b", 1, False)],
        [
            second("a", 1, True, fixed=True, fresh=False, shuffled=False),
            second("b", 0, False, fixed=True, fresh=True, shuffled=False),
            second("b", 1, False, fixed=True, fresh=False, shuffled=None),
        ],
        crossed,
    )
    trained = Tally(own_are_fixed=False)
    trained.add(
        [first("a", 0, False), first("a", 1, True), first("b", 0, False), first("b", 1, True)],
        [
            second("a", 1, True, fixed=True, fresh=True, shuffled=False, reflection_tokens=2, leak=True),
            second("b", 0, True, fixed=True, fresh=False, shuffled=True, reflection_tokens=6),
            second("b", 1, False, fixed=True, fresh=False, shuffled=None, reflection_truncated=True),
            second("a", 0, False, fixed=False),
            second("b", 0, True, fixed=False),
        ],
    )
    return base, trained


def values(comparison):
    return comparison.base, comparison.trained, comparison.questions, comparison.samples


def test_shares_of_a_small_evaluation_by_hand():
    result = build_result(*tallies())
    assert values(result.first_try) == (0.25, 0.5, 2, 4)
    # Cumulative: base a right, right (retry); b wrong twice. Trained, on its own failures: wrong, right, right, right.
    assert values(result.second_try) == (0.5, 0.75, 2, 4)
    assert values(result.retry_success) == pytest.approx((1 / 3, 2 / 3, 2, 3))
    assert values(result.fresh_try) == pytest.approx((1 / 3, 1 / 3, 2, 3))
    assert values(result.shuffled) == (0.0, 0.5, 2, 2)
    assert result.fixed_failures == 3
    against = result.reflection_against_fresh
    assert (against.reflection, against.control, against.samples) == pytest.approx((2 / 3, 1 / 3, 3))
    # Only on the failures that have a shuffled control.
    against = result.reflection_against_shuffled
    assert (against.reflection, against.control, against.samples) == (1.0, 0.5, 2)
    assert result.error_classes_base == {"correct": 1, "wrong_value": 3}
    assert result.error_classes_trained == {"correct": 2, "wrong_value": 2}


def test_reflections_are_described_on_the_fixed_failures():
    statistics = build_result(*tallies()).reflections_trained
    assert (statistics.tokens, statistics.truncated, statistics.leaks) == pytest.approx((4.0, 1 / 3, 1 / 3))


def test_the_file_holds_the_five_comparisons_each_with_its_values():
    """The paired test stands where two questions differ."""
    document = json.loads(build_result(*tallies()).to_json())
    values = {"base", "trained", "change", "interval", "questions", "samples"}
    for name in COMPARISONS:
        assert set(document[name]) - {"pValue"} == values
        low, high = document[name]["interval"]
        assert low <= document[name]["change"] <= high
    # In secondTry a falls by 1 and b rises by 2, in freshTry they do by 1 each; elsewhere one question differs.
    assert {name for name in COMPARISONS if document[name].get("pValue") == 1} == {"secondTry", "freshTry"}
    assert not any("pValue" in document[name] for name in ("firstTry", "retrySuccess", "shuffled"))
    assert EvaluationResult.model_validate(document) == build_result(*tallies())


def test_without_failures_the_comparisons_on_failures_are_absent():
    base, trained = Tally(own_are_fixed=True), Tally(own_are_fixed=False)
    base.add([first("a", 0, True), first("b", 0, True)], [])
    trained.add([first("a", 0, True), first("b", 0, False)], [second("b", 0, True, fixed=False)])
    result = build_result(base, trained)
    assert values(result.second_try) == (1.0, 1.0, 2, 2)
    assert set(json.loads(result.to_json())) & set(COMPARISONS) == {"firstTry", "secondTry"}
    assert "retryBase" not in metrics_of(result)
    assert "failed nowhere" in note(result)


def test_one_question_says_nothing_about_the_next():
    base, trained = Tally(own_are_fixed=True), Tally(own_are_fixed=False)
    base.add([first("a", 0, False)], [second("a", 0, False, fixed=True, fresh=False)])
    trained.add([first("a", 0, True)], [second("a", 0, True, fixed=True, fresh=False)])
    result = build_result(base, trained)
    assert result.shuffled is None
    assert result.reflection_against_shuffled is None
    shown = [
        result.first_try,
        result.second_try,
        result.retry_success,
        result.fresh_try,
        result.reflection_against_fresh,
    ]
    assert {tuple(row.interval) for row in shown} == {(-1.0, 1.0)}


def test_second_tries_without_room_are_counted_and_the_remedy_is_named():
    base, trained = tallies()
    base.add(
        [first("c", 0, False)],
        [second("c", 0, False, fixed=True, fresh=False, retry_reason=TOO_LONG, reflection_tokens=0)],
    )
    trained.add([first("c", 0, True)], [second("c", 0, False, fixed=True, fresh=False)])
    result = build_result(base, trained)
    assert result.too_long == 1
    assert "1 second tries count as wrong" in note(result)
    assert (
        "lower spec.rollout.sampling.maxTokens, spec.training.reflectionMaxTokens or retryMaxTokens"
        in note(result)
    )
    assert result.reflections_base.tokens == 4  # one that was never written has no length


def test_shards_add_up():
    base, trained = tallies()
    halves = Tally(own_are_fixed=True)
    halves.add(
        [first("a", 0, True), first("a", 1, False)],
        [second("a", 1, True, fixed=True, fresh=False, shuffled=False)],
    )
    halves.add(
        [first("b", 0, False), first("b", 1, False)],
        [
            second("b", 0, False, fixed=True, fresh=True, shuffled=False),
            second("b", 1, False, fixed=True, fresh=False, shuffled=None),
        ],
    )
    assert build_result(halves, trained) == build_result(base, trained)


def test_figures_fit_into_a_manifest_and_a_termination_message():
    figures = metrics_of(build_result(*tallies()))
    assert len(figures) <= 32
    assert Manifest(kind="evaluation", files=[], metrics=figures).metrics == figures


_ROWS = st.lists(
    st.builds(
        FirstAnswer, question_id=st.text(), question=st.text(), attempt=st.integers(0, 63),
        completion=st.text(), correct=st.booleans(), reason=st.text(),
    ),
    max_size=5,
)  # fmt: skip


@given(_ROWS)
def test_rows_come_back_as_they_were_written(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(file, rows, FirstAnswer)
    assert read_rows(file, FirstAnswer) == rows


def test_absent_controls_come_back_as_absent(tmp_path):
    rows = [second("a", 0, True, fixed=True, fresh=False, shuffled=None), second("b", 0, True, fixed=False)]
    write_rows(tmp_path / "rows.parquet", rows, Transcript)
    assert read_rows(tmp_path / "rows.parquet", Transcript) == rows


def test_one_of_two_answers():
    """Base: a is right once, b never. Trained: both once."""
    [row] = build_result(*tallies(), pass_at_k=[2]).pass_at_k
    assert row.k == 2
    assert (row.first_try.base, row.first_try.trained, row.first_try.questions) == (0.5, 1.0, 2)
    assert (row.second_try.base, row.second_try.trained) == (0.5, 1.0)
    assert build_result(*tallies()).pass_at_k == []


def test_questions_of_training():
    base, trained = tallies()
    train = on_train_prompts(base, trained)
    result = build_result(base, trained)
    assert train.first_try == result.first_try
    assert train.second_try == result.second_try
    assert train.retry_success == result.retry_success
    never_wrong = Tally(own_are_fixed=True)
    never_wrong.add([first("a", 0, True)], [])
    assert on_train_prompts(never_wrong, trained).retry_success is None


def test_controls_that_were_asked_for():
    """On three failures of two questions: base 1 of 3 after its own reflections, 2 of 3 after the trained model's.

    Trained is right after 2 of 3 of its own, and after 2 of 3 of the base model's.
    """
    crossed = [CrossedRetry("a", "text of a", 1, "r", "x", True, "correct")]
    crossed += [CrossedRetry("b", "text of b", n, "r", "x", n == 1, "?") for n in (0, 1)]
    base, trained = tallies(crossed)
    for question, right, own in (("a", True, True), ("b", False, True), ("b", False, False)):
        for name, correct in (("plain", right), ("generic", False), ("swapped", not right)):
            getattr(trained, name).add(question, correct)
            trained.paired[name].add(question, own)
    result = build_result(base, trained)
    assert (result.swapped_reflection.base, result.swapped_reflection.trained) == pytest.approx(
        (2 / 3, 2 / 3)
    )
    assert result.plain_retry is None, "the base model was not asked"
    assert result.reflection_against_plain.difference == pytest.approx(1 / 3)
    assert result.reflection_against_generic.control == 0
    assert result.reflection_against_base.difference == pytest.approx(0)
    given = result.reflection_given_to_base
    assert (given.control, given.reflection, given.samples) == pytest.approx((1 / 3, 2 / 3, 3))
    without = build_result(*tallies())
    assert (without.reflection_against_plain, without.reflection_given_to_base) == (None, None)


def test_a_crossed_retry_without_room_leaves_its_failure_out_on_both_sides():
    crossed = [CrossedRetry("a", "text of a", 1, "", "", False, TOO_LONG)]
    crossed += [CrossedRetry("b", "text of b", n, "r", "x", True, "correct") for n in (0, 1)]
    given = build_result(*tallies(crossed)).reflection_given_to_base
    assert (given.control, given.reflection, given.samples, given.questions) == (0, 1, 2, 1)


def test_rows_written_before_there_were_more_controls_are_read(tmp_path):
    import pyarrow.parquet as pq

    row = second("a", 1, True, fixed=True, fresh=True)
    write_rows(tmp_path / "new.parquet", [row], Transcript)
    table = pq.read_table(tmp_path / "new.parquet")
    new = ["plain", "plain_correct", "generic_retry", "generic_correct", "swapped_retry", "swapped_correct"]
    pq.write_table(table.drop_columns(new), tmp_path / "old.parquet")
    assert read_rows(tmp_path / "old.parquet", Transcript) == [row]
