"""What is put to a model under evaluation, and how its words are judged."""

from __future__ import annotations

from reflection_trainer.evaluate.candidate import Candidate, Failure
from reflection_trainer.evaluate.transcripts import TOO_LONG, FirstAnswer
from reflection_trainer.verify.registry import make_verifier

from .scripted import ScriptedEngine, config, question, role_of

QUESTIONS = [question(number) for number in range(1, 7)]


def say(turns, seed):
    """Always wrong at first; a reflection names its question, and the retry repeats the reflection's last word."""
    match role_of(turns):
        case "answer":
            return "b"
        case "reflection":
            return f"about {turns[0]['content'].split()[-1]}"
        case _:
            return turns[3]["content"].split()[-1]


def candidate(engine, counted=None, **changes):
    return Candidate(engine, make_verifier("exact"), config(**changes), counted or (lambda answers: None))


def failures(candidate_, questions=QUESTIONS):
    return [
        Failure(question_, answer)
        for question_ in questions
        for answer in candidate_.first_answers([question_])
        if not answer.correct
    ]


def test_first_answers_are_judged_and_numbered():
    answers = iter("abab")
    engine = ScriptedEngine(lambda turns, seed: next(answers))
    found = candidate(engine, **{"evaluation.attemptsPerPrompt": 2}).first_answers(QUESTIONS[:2])
    assert [(answer.question, answer.attempt, answer.completion, answer.correct) for answer in found] == [
        ("question 1", 0, "a", True),
        ("question 1", 1, "b", False),
        ("question 2", 0, "a", True),
        ("question 2", 1, "b", False),
    ]


def test_the_second_try_goes_on_from_the_failed_answer_and_the_own_reflection():
    engine = ScriptedEngine(say)
    model = candidate(engine, **{"evaluation.attemptsPerPrompt": 1})
    wrong = failures(model)
    engine.asked.clear()
    transcripts = model.second_tries(wrong, fixed=False)
    retries = [turns for turns, _ in engine.asked if role_of(turns) == "retry"]
    assert [[turn["content"] for turn in turns] for turns in retries] == [
        [f"question {n}", "b", "what went wrong", f"about {n}", f"again question {n}"] for n in range(1, 7)
    ]
    assert [row.retry for row in transcripts] == ["1", "2", "3", "4", "5", "6"]
    assert {
        (row.fresh, row.shuffled_retry, row.fresh_correct, row.shuffled_correct) for row in transcripts
    } == {(None, None, None, None)}


def test_the_shuffled_control_gives_each_question_the_reflection_on_another():
    engine = ScriptedEngine(say)
    model = candidate(engine, **{"evaluation.attemptsPerPrompt": 3})
    transcripts = model.second_tries(failures(model), fixed=True)
    assert len(transcripts) == 18
    received = [row.shuffled_retry for row in transcripts]
    assert all(
        row.question != f"question {number}" for row, number in zip(transcripts, received, strict=True)
    )
    assert sorted(received) == sorted(row.retry for row in transcripts)  # the same reflections, all of them


def test_without_another_question_there_is_no_shuffled_control():
    model = candidate(ScriptedEngine(say))
    transcripts = model.second_tries(failures(model, QUESTIONS[:1]), fixed=True)
    assert {(row.shuffled_retry, row.shuffled_correct) for row in transcripts} == {(None, None)}
    assert {row.fresh for row in transcripts} == {"b"}


def test_the_fresh_try_sees_the_question_alone():
    engine = ScriptedEngine(say)
    model = candidate(engine, **{"evaluation.attemptsPerPrompt": 1})
    wrong = failures(model)
    engine.asked.clear()
    model.second_tries(wrong, fixed=True)
    fresh = [turns for turns, _ in engine.asked if role_of(turns) == "answer"]
    assert fresh == [question_.messages for question_ in QUESTIONS]


def test_every_answer_has_a_seed_of_its_own_that_does_not_depend_on_the_others():
    def seeds(questions):
        engine = ScriptedEngine(say)
        model = candidate(engine)
        model.second_tries(failures(model, questions), fixed=False)
        return {(turns[0]["content"], role_of(turns), seed) for turns, seed in engine.asked}

    together, alone = seeds(QUESTIONS), seeds(QUESTIONS[3:4])
    assert len({seed for *_, seed in together}) == 6 * 4 * 3
    assert alone == {key for key in together if key[0] == "question 4"}


def test_base_and_fresh_answers_are_different_draws():
    engine = ScriptedEngine(say)
    model = candidate(engine)
    wrong = failures(model)
    first = [seed for _, seed in engine.asked]
    engine.asked.clear()
    model.second_tries(wrong, fixed=True)
    fresh = [seed for turns, seed in engine.asked if role_of(turns) == "answer"]
    assert len(fresh) == len(first)
    assert not set(fresh) & set(first)


def test_a_second_try_without_room_counts_as_wrong_and_costs_the_others_nothing():
    long, short = "b " * 10, "a"

    def second_only(turns, seed):
        return {"answer": "b", "reflection": "try a", "retry": "a"}[role_of(turns)]

    engine = ScriptedEngine(second_only, context_length=20)
    model = candidate(engine)
    wrong = [
        Failure(question_, FirstAnswer(question_.id, question_.text, 0, text.strip(), False, "wrong"))
        for question_, text in zip(QUESTIONS, [short, long, short, short, long, short], strict=True)
    ]
    transcripts = model.second_tries(wrong, fixed=True)
    assert [row.retry_correct for row in transcripts] == [True, False, True, True, False, True]
    assert [row.retry_reason for row in transcripts if not row.retry_correct] == [TOO_LONG, TOO_LONG]
    assert [row.reflection for row in transcripts] == ["try a", "", "try a", "try a", "", "try a"]
    # The fresh try has room; reflections that were not written cannot be shuffled.
    assert {row.fresh for row in transcripts} == {"b"}
    assert sum(row.shuffled_correct is None for row in transcripts) == 2


def test_a_reflection_that_names_the_answer_is_a_leak():
    def telling(turns, seed):
        return {"answer": "wrong", "reflection": "say alpha", "retry": "alpha"}[role_of(turns)]

    model = candidate(ScriptedEngine(telling))
    assert {row.leak for row in model.second_tries(failures(model), fixed=False)} == {True}
    model = candidate(ScriptedEngine(say))
    assert {row.leak for row in model.second_tries(failures(model), fixed=False)} == {False}


def test_all_answers_are_counted_also_those_that_were_not_made():
    counted: list[int] = []
    engine = ScriptedEngine(say, context_length=9)  # room for an answer, for no request to reflect
    model = candidate(engine, counted.append, **{"rollout.sampling.maxTokens": 2})
    wrong = failures(model)
    assert sum(counted) == 6 * 4
    transcripts = model.second_tries(wrong, fixed=True)
    assert {row.retry_reason for row in transcripts} == {TOO_LONG}
    assert sum(counted) == 6 * 4 * (1 + 4)


GENERAL = "take more care"
CONTROLS = {
    "evaluation.controls": ["plainRetry", "genericReflection"],
    "evaluation.genericReflection": GENERAL,
    "evaluation.attemptsPerPrompt": 1,
}


def test_controls_that_are_asked_for():
    def told(turns, seed):
        return "a" if turns[-1]["content"].startswith("again") and turns[-2]["content"] != GENERAL else "b"

    engine = ScriptedEngine(told)
    model = candidate(engine, **CONTROLS)
    wrong = failures(model)
    engine.asked.clear()
    others = [None, *(f"hint {n}" for n in range(2, 7))]
    rows = model.second_tries(wrong, fixed=True, others=others)
    conversations = [[turn["content"] for turn in turns] for turns, _ in engine.asked]
    assert ["question 2", "b", "again question 2"] in conversations
    assert ["question 2", "b", "what went wrong", GENERAL, "again question 2"] in conversations
    assert ["question 2", "b", "what went wrong", "hint 2", "again question 2"] in conversations
    assert {(row.plain_correct, row.generic_correct) for row in rows} == {(True, False)}
    assert [row.swapped_correct for row in rows] == [None] + [True] * 5, "there was no reflection"
    assert len({seed for _, seed in engine.asked}) == len(engine.asked)


class Budgets(ScriptedEngine):
    """Remembers how long each answer might have been."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.budgets = []

    def generate(self, conversations, sampling, seeds, *, on_done=None):
        completions = super().generate(conversations, sampling, seeds, on_done=on_done)
        self.budgets += [([turn["content"] for turn in turns], sampling) for turns in conversations]
        return completions

    def tokens(self, last, turns):
        """The limits of conversations with so many turns and such a last one."""
        return {
            sampling.max_tokens
            for said, sampling in self.budgets
            if len(said) == turns and said[-1].startswith(last)
        }


def test_fresh_try_and_plain_retry_have_the_tokens_of_reflection_and_retry():
    engine = Budgets(say_anything)
    model = candidate(engine, **CONTROLS | {"rollout.sampling.maxTokens": 3})
    wrong = failures(model)
    assert engine.tokens("question", 1) == {3}
    engine.budgets.clear()
    model.second_tries(wrong, fixed=True)
    assert (engine.tokens("what", 3), engine.tokens("again", 5)) == ({6}, {4})
    assert engine.tokens("again", 3) == engine.tokens("question", 1) == {10}


def test_the_fresh_try_is_drawn_like_a_first_answer():
    engine = Budgets(say_anything)
    model = candidate(engine, **{"rollout.sampling.temperature": 0.3, "rollout.sampling.topK": 7})
    model.second_tries(failures(model), fixed=True)
    drawn = [
        sampling.model_copy(update={"max_tokens": 1}) for said, sampling in engine.budgets if len(said) == 1
    ]
    assert set(map(repr, drawn)) == {repr(drawn[0])}
    assert (drawn[0].temperature, drawn[0].top_k) == (0.3, 7)


def test_the_fresh_try_is_never_longer_than_the_context_leaves():
    """Every question has two words, the last one nine: 8 and 1 of 10 tokens are left."""
    engine = Budgets(say_anything, context_length=10)
    model = candidate(engine, **{"rollout.sampling.maxTokens": 1, "evaluation.attemptsPerPrompt": 1})
    long = question(7)
    long.messages[0]["content"] = "question with many more words than the others have"
    wrong = failures(model, [*QUESTIONS, long])
    engine.budgets.clear()
    rows = model.second_tries(wrong, fixed=True)
    assert [row.fresh for row in rows] == ["b"] * 7
    assert {(len(said[0].split()), sampling.max_tokens) for said, sampling in engine.budgets if len(said) == 1} == {
        (2, 8), (9, 1),
    }  # fmt: skip


def say_anything(turns, seed):
    return "b"


def test_controls_are_not_asked_for_on_own_failures():
    engine = ScriptedEngine(say_anything)
    model = candidate(engine, **CONTROLS)
    wrong = failures(model)
    engine.asked.clear()
    rows = model.second_tries(wrong, fixed=False)
    assert len(engine.asked) == 2 * len(wrong)
    assert {(row.plain, row.generic_retry, row.swapped_retry) for row in rows} == {(None, None, None)}


def test_a_control_without_room_is_absent_and_not_wrong():
    engine = ScriptedEngine(say_anything, context_length=20)
    model = candidate(engine, **CONTROLS | {"evaluation.genericReflection": "more " * 20})
    rows = model.second_tries(failures(model), fixed=True)
    assert {(row.plain_correct, row.generic_correct) for row in rows} == {(False, None)}
    assert {row.retry_reason for row in rows} == {"wrong_answer"}
