"""Progress in questions, whatever number of answers they take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from reflection_api.stages import Stage
from reflection_trainer.evaluate.work import Work
from reflection_trainer.progress import Progress

_PARTS = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any)


@given(st.lists(st.tuples(st.integers(1, 50), _PARTS), max_size=6))
def test_progress_never_goes_back_and_each_shard_ends_at_its_last_question(shards):
    progress = Progress(Stage.EVALUATE, index=0, unit="questions", total=300)
    work = Work(progress)
    seen, questions_so_far = [0], 0
    for questions, parts in shards:
        work.begin(questions, sum(parts))
        for part in parts:
            work.count(part)
            seen.append(progress.done)
        questions_so_far += questions
        assert progress.done == questions_so_far
    assert seen == sorted(seen)


def test_questions_answered_before_count_at_once():
    progress = Progress(Stage.EVALUATE, index=0, unit="questions", total=30)
    work = Work(progress)
    work.skip(10)
    work.begin(10, 50)
    work.count(25)
    assert progress.done == 15
    work.skip(0)
    assert progress.done == 15
