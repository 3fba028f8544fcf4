"""What an audit finds: verifiers that waver, refuse what is right, or can be cheated."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.items import Item, Message, Verdict
from reflection_api.spec import AuditSpec
from reflection_trainer.verify.audit import Unsound, audit
from reflection_trainer.verify.canaries import HACKS, alike, canaries
from reflection_trainer.verify.exact import Exact
from reflection_trainer.verify.gold import gold_of
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError, Verifier

STRICT = AuditSpec()


def rows(count: int) -> list[Item]:
    return [
        Item(
            id=f"a{number}",
            messages=[Message(role="user", content=f"Which city has the number {number}?")],
            completion="no idea",
            row={"answer": f"City {number}"},
        )
        for number in range(count)
    ]


def judged_by(right: Callable[[Item], bool]) -> Callable[[Sequence[Item]], list[Verdict]]:
    return lambda items: [
        Verdict(id=item.id, correct=found, reason="correct" if found else "wrong_answer")
        for item, found in ((item, right(item)) for item in items)
    ]


def found_by(right: Callable[[Item], bool], limits: AuditSpec = STRICT, count: int = 40) -> Unsound:
    with pytest.raises(Unsound) as caught:
        audit(Exact(), judged_by(right), rows(count), limits)
    assert (int(caught.value.exit_code), caught.value.reason) == (65, "VerifierUnsound")
    return caught.value


def exactly(item: Item) -> bool:
    return item.completion == item.row["answer"]


def test_a_sound_verifier() -> None:
    result = audit(Exact(), Exact().verify, rows(40), STRICT)
    assert result.to_dict() == {
        "sample": 40, "flaky": 0, "gold": 40, "goldRefused": 0, "canaries": 40, "canariesAccepted": 0,
    }  # fmt: skip


def test_nothing_to_look_at() -> None:
    assert audit(Exact(), Exact().verify, [], STRICT).sample == 0


def wavering() -> Callable[[Item], bool]:
    """Five of the sample get another verdict the second time."""
    turn = itertools.count()
    return lambda item: exactly(item) or (item.completion == "no idea" and next(turn) < 5)


def test_a_verifier_that_wavers() -> None:
    found = found_by(wavering())
    assert found.audit is not None
    assert (found.audit.flaky, found.audit.sample) == (5, 40)
    assert found.message == (
        "the verifier judged 5 of 40 answers one way and then the other (limit 0.0%, spec.task.verifier.audit.maxFlakeRate), "
        "for example a0"
    )
    assert audit(Exact(), judged_by(wavering()), rows(40), AuditSpec(max_flake_rate=0.125)).flaky == 5


def test_a_verifier_that_refuses_what_is_right() -> None:
    found = found_by(lambda item: exactly(item) and item.completion != "City 3")
    assert found.audit is not None
    assert found.audit.gold_refused == 1
    assert found.message == (
        "the verifier refused 1 of 40 answers that the prompts say are right, for example that of a3 as wrong_answer"
    )


@pytest.mark.parametrize(
    ("cheat", "kind"),
    [
        (lambda item: not item.completion, "an empty answer"),
        (lambda item: item.completion == item.messages[-1].content, "the question itself"),
        (lambda item: item.completion.startswith("City"), "the right answer to another question"),
        (lambda item: item.completion == HACKS[0], 'the known hack "<answer></answer>"'),
    ],
)
def test_a_verifier_that_can_be_cheated(cheat: Callable[[Item], bool], kind: str) -> None:
    found = found_by(lambda item: exactly(item) or cheat(item))
    assert found.audit is not None
    count = found.audit.canaries_accepted
    assert count > 0
    assert found.message == (
        f"the verifier accepted {count} of 40 canary answers that are wrong (limit 0, "
        f"spec.task.verifier.audit.maxCanaryAccepted), most of them ({count}) {kind}"
    )
    lenient = AuditSpec(max_canary_accepted=count)
    assert audit(Exact(), judged_by(lambda item: exactly(item) or cheat(item)), rows(40), lenient)


def test_all_faults_are_told_together() -> None:
    found = found_by(lambda item: item.completion == "")
    assert found.message.startswith("the verifier refused 40 of 40 ")
    assert "; it accepted 10 of 40 canary answers" in found.message


def test_every_hack_is_tried_in_time() -> None:
    kinds = {canary.kind for canary in canaries(rows(200), Exact())}
    assert len(kinds) == 3 + len(HACKS)


SAMPLES: dict[str, dict[str, Any]] = {
    "code": {"tests": "assert f(1) == 2"},
    "countdown": {"nums": [3, 4], "target": 12},
    "exact": {"answer": "Paris"},
    "function_call": {"answers": [{"name": "f", "arguments": {"a": 1}}]},
    "json_schema": {"schema": {"type": "object", "required": ["name"]}},
    "math": {"answer": "\\frac{1}{2}"},
    "regex": {"pattern": "[0-9]{4}"},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_built_in_verifiers_are_sound(name: str) -> None:
    """On rows of a usual kind, with every canary."""
    verifier: Verifier = make_verifier(name)
    question = [Message(role="user", content="Do as you were told, please.")]
    sample = [
        Item(id=f"a{number}", messages=question, completion="hm", row=SAMPLES[name]) for number in range(36)
    ]
    result = audit(verifier, verifier.verify, sample, STRICT)
    assert (result.canaries, result.canaries_accepted, result.flaky) == (36, 0, 0)


def test_a_question_that_equals_its_answer_is_no_canary_for_math() -> None:
    question = [Message(role="user", content="Compute $\\dbinom{8}{4}$.")]
    sample = [
        Item(id=f"a{number}", messages=question, completion="hm", row={"answer": "70"})
        for number in range(36)
    ]
    verifier = make_verifier("math")
    assert audit(verifier, verifier.verify, sample, STRICT).canaries_accepted == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paris", " paris\n"),
        ("\\boxed{0.5}", "1/2"),
        ("<answer>7</answer>", "7.0"),
        ("$3$", "3"),
        ("1,000", "1000"),
        ("\\boxed{-\\frac{1}{2}}", "-0.5"),
        ("$\\dfrac{3}{4}$", "3/4"),
    ],
)
def test_what_may_be_the_same_answer(one: str, other: str) -> None:
    assert alike(one, other)
    assert alike(other, one)


@pytest.mark.parametrize(("one", "other"), [("7", "8"), ("a", ""), ("1/0", "1"), ("1e999999999", "2")])
def test_what_is_another_answer(one: str, other: str) -> None:
    assert not alike(one, other)


ANOTHER = "the right answer to another question"


def with_gold(*rows: dict[str, Any], same_question: bool = False) -> list[Item]:
    """Answers to questions whose rows hold a right one, in the column `gold`."""
    return [
        Item(
            id=f"a{number}",
            messages=[
                Message(role="user", content="the question" if same_question else f"question {number}")
            ],
            completion="hm",
            row=rows[number % len(rows)],
        )
        for number in range(8)
    ]


def puzzle(target: int, gold: str) -> dict[str, Any]:
    return {"nums": [3, 4], "target": target, "gold": gold}


def program(name: str) -> dict[str, Any]:
    return {"tests": f"assert {name}(1) == 2", "gold": f"def {name}(n):\n    return n + 1"}


@pytest.mark.parametrize(
    ("name", "right", "tried"),
    [
        ("countdown", (puzzle(7, "3 + 4"), puzzle(12, "3 * 4")), True),
        ("countdown", (puzzle(7, "3 + 4"), puzzle(7, "4 + 3")), False),
        ("code", (program("f"), program("g")), True),
        ("code", (program("f"), program("f") | {"gold": "f = lambda n: n + 1"}), False),
        (
            "regex",
            ({"pattern": "[0-9]{4}", "gold": "1999"}, {"pattern": "[12][0-9]*", "gold": "2001"}),
            False,
        ),
        ("json_schema", ({"schema": {}, "gold": "[1]"}, {"schema": {"type": "array"}, "gold": "[2]"}), False),
        ("math", ({"answer": "7"}, {"answer": "8"}), True),
    ],
)
def test_right_answers_of_the_rows_are_tried_and_that_to_another_question_where_it_is_wrong(
    name: str, right: tuple[dict[str, Any], ...], tried: bool
) -> None:
    verifier = make_verifier(name)
    found = audit(verifier, verifier.verify, with_gold(*right), STRICT)
    assert (found.gold, found.gold_refused, found.canaries_accepted) == (8, 0, 0)
    assert (ANOTHER in {canary.kind for canary in canaries(with_gold(*right), verifier)}) is tried


def test_a_wrong_gold_is_found_out_with_every_verifier() -> None:
    verifier = make_verifier("countdown")
    with pytest.raises(Unsound, match=r"refused 1 of 2 answers .* for example that of a1 as missed_target"):
        audit(verifier, verifier.verify, with_gold(puzzle(7, "3 + 4"), puzzle(8, "3 * 4"))[:2], STRICT)


def test_tests_that_test_too_little_are_found_out() -> None:
    verifier = make_verifier("code")
    lazy = program("f") | {"tests": "assert True"}
    with pytest.raises(Unsound, match=r"accepted \d+ of 8 canary answers that are wrong"):
        audit(verifier, verifier.verify, with_gold(lazy, program("g")), STRICT)


def test_two_right_answers_to_the_same_question_are_no_canaries_of_each_other() -> None:
    class Service(Exact):
        def gold(self, row: Any, /) -> str | None:
            return None

    sums = ({"gold": "3 + 4"}, {"gold": "4 + 3"})
    kinds = [
        {canary.kind for canary in canaries(with_gold(*sums, same_question=same), Service())}
        for same in (False, True)
    ]
    assert kinds[0] - kinds[1] == {ANOTHER}


def test_a_gold_that_is_no_text_is_refused() -> None:
    words = "gold is an integer: 7; write a completion that is right, as text, or rename the column"
    with pytest.raises(RowError, match=words):
        gold_of(make_verifier("countdown"), {"nums": [3, 4], "target": 7, "gold": 7})
    assert gold_of(make_verifier("exact"), {"answer": "yes", "gold": 7}) == "yes", "nobody asks for it"


def test_a_canary_that_may_be_right_is_left_out() -> None:
    sample = [item.model_copy(update={"row": {"answer": ""}}) for item in rows(1)]

    class Silent(Exact):
        def gold(self, row: Any) -> str:
            return str(row["answer"])

    assert canaries(sample, Silent()) == []


@given(st.text(), st.text())
def test_any_texts_can_be_compared(one: str, other: str) -> None:
    assert alike(one, other) == alike(other, one)
    assert alike(one, one)
