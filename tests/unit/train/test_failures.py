"""The failures as training reads them: rendered, measured, shared from disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.contract import TemplatesSettings
from reflection_api.reasons import Reason
from reflection_trainer.conversation import Conversation
from reflection_trainer.errors import BadData
from reflection_trainer.train.failures import Budget, FailureTable, prepare

from ...support.held import held

CONVERSATION = Conversation(
    TemplatesSettings(reflection="reflect", retry="again {{ question }} {{ row.hint }}")
)


class WordTokenizer:
    """One token per word, one more per turn, one for the answer to come."""

    def apply_chat_template(self, conversations, **_):
        return [
            [0] * (1 + sum(1 + len(turn["content"].split()) for turn in turns)) for turns in conversations
        ]


def row(number, question="question", answer="answer"):
    return {
        "id": f"{number:04d}/0",
        "messages": [{"role": "user", "content": question}],
        "completion": answer,
        "row": {"hint": f"h{number}", "nums": [1, 2]},
    }


ROOMY = Budget(context=100, reflection=10, retry=10)


def prepared(path, rows, budget=ROOMY):
    return prepare(rows, path, conversation=CONVERSATION, tokenizer=WordTokenizer(), budget=budget)


def test_rows_come_back_rendered_and_in_order(tmp_path):
    path = tmp_path / "failures.arrow"
    assert prepared(path, [row(number) for number in range(3000)]).kept == 3000
    table = FailureTable(path)
    assert len(table) == 3000
    one, again, other = table.take([2999, 2999, 0])
    assert one is again, "a group's rows are read once"
    assert [turn["content"] for turn in one.prompt] == ["question", "answer", "reflect"]
    assert (one.id, one.row) == ("2999/0", {"hint": "h2999", "nums": [1, 2]})
    assert other.id == "0000/0"


@given(
    st.text(),
    st.text(),
    st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.booleans())),
)
def test_any_text_comes_back_as_it_was(tmp_path_factory, question, answer, columns):
    path = tmp_path_factory.mktemp("failures") / "failures.arrow"
    columns = columns | {"hint": ""}
    given_row = row(1, question, answer) | {"row": columns}
    prepared(path, [given_row], Budget(context=10**9, reflection=1, retry=1))
    (found,) = FailureTable(path).take([0])
    assert found.prompt[0]["content"] == question
    assert found.prompt[1]["content"] == answer
    assert found.row == columns


# Up to the reflection: 3 turns of 1 + n words, 1 for what comes. "question", "answer" and "reflect" make 7 tokens; the retry's
# prompt has an empty reflection (1) and "again question h1" (4) more: 12.
@pytest.mark.parametrize(
    ("budget", "fits"),
    [
        (Budget(context=22, reflection=5, retry=5), True),
        (Budget(context=21, reflection=5, retry=5), False),
        (Budget(context=13, reflection=1, retry=0), True),
        (Budget(context=12, reflection=1, retry=0), False),
    ],
)
def test_the_whole_conversation_must_fit_whatever_the_model_writes(tmp_path, budget, fits):
    long, short = row(1), row(2, question="", answer="")
    rows = [long, short] if fits else [long]
    if fits:
        assert prepared(tmp_path / "failures.arrow", rows, budget).kept == 2
    else:
        with pytest.raises(BadData):
            prepared(tmp_path / "failures.arrow", rows, budget)


def test_the_longest_conversation_of_those_that_fit_is_known(tmp_path):
    """A model that samples is given room for it, and for a reflection that takes more tokens when it is read again."""
    path = tmp_path / "failures.arrow"
    budget = Budget(context=40, reflection=5, retry=5)
    prepared(path, [row(1), row(2, question="very very"), row(3, question="very " * 60)], budget)
    # As above 12 before the model writes, and a word more in each of the two questions.
    assert FailureTable(path).longest() == 14 + 5 + 5
    assert budget.room(24) == 26
    assert budget.room(39) == 40


def test_what_does_not_fit_is_left_out_and_said(tmp_path):
    path = tmp_path / "failures.arrow"
    rows = [row(1), row(2, question="very " * 50), row(3, question="very " * 60), row(4)]
    found = prepared(path, rows, Budget(context=40, reflection=5, retry=5))
    assert (found.kept, found.left_out) == (2, 2)
    assert [failure.id for failure in FailureTable(path).take([0, 1])] == ["0001/0", "0004/0"]
    assert found.note.startswith(
        "2 of 4 failures are left out: with spec.training.reflectionMaxTokens 5 and retryMaxTokens 5"
    )
    assert "the model's context of 40 tokens (the longest, 0003/0, has" in found.note


def test_nothing_that_fits_is_an_error_that_says_why(tmp_path):
    with pytest.raises(BadData, match="1 of 1 failures are left out") as raised:
        prepared(tmp_path / "failures.arrow", [row(1)], Budget(context=5, reflection=5, retry=5))
    assert raised.value.reason is Reason.DATASET_EMPTY


def test_no_failures_at_all_are_an_error_too(tmp_path):
    with pytest.raises(BadData, match="nothing to train on") as raised:
        prepared(tmp_path / "failures.arrow", [])
    assert (raised.value.reason, int(raised.value.exit_code)) == (Reason.DATASET_EMPTY, 65)


def test_preparing_many_holds_no_more_in_memory_than_preparing_few(tmp_path):
    def most(count):
        rows = (row(number, answer=f"{number} {'x' * 1000}") for number in range(count))
        with held() as found:
            assert prepared(tmp_path / f"{count}.arrow", found.passing(rows)).kept == count
        return found.most

    assert most(8000) < 1.3 * most(2000)
