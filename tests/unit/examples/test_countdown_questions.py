"""The questions: each has one solution, no puzzle stands on both sides, the committed files are the recipe's."""

from __future__ import annotations

import json
from pathlib import Path

import questions
from reflection_api.items import Item
from reflection_trainer.verify.countdown import Countdown

OPERATORS = set(questions.OPERATORS)


def both_orders(question: questions.Question, operator: str) -> list[str]:
    first, second = question.first, question.second
    return [f"{first} {operator} {second}", f"{second} {operator} {first}"]


def test_exactly_the_named_operator_solves_a_question_by_the_verifier() -> None:
    asked = questions.all_questions()
    tries = [(q, op, text) for q in asked for op in questions.OPERATORS for text in both_orders(q, op)]
    items = [Item(id=str(n), completion=text, row=q.row()) for n, (q, _, text) in enumerate(tries)]
    solving: dict[questions.Question, set[str]] = {q: set() for q in asked}
    for (q, op, _), verdict in zip(tries, Countdown().verify(items), strict=True):
        if verdict.correct:
            solving[q].add(op)
    assert all(solving[q] == {q.operator} for q in asked)


def test_the_answer_with_the_right_operator_is_right() -> None:
    asked = questions.all_questions()
    items = [Item(id=q.text, completion=q.answer_with(q.operator), row=q.row()) for q in asked]
    assert all(verdict.correct for verdict in Countdown().verify(items))


def test_a_puzzle_and_its_mirror_image_stand_on_the_same_side() -> None:
    def puzzles(side: list[questions.Question]) -> set[tuple[frozenset[int], int]]:
        return {(frozenset((q.first, q.second)), q.target) for q in side}

    train, held_out = questions.split_questions()
    assert not puzzles(train) & puzzles(held_out)
    assert sorted(q.text for q in train + held_out) == sorted(q.text for q in questions.all_questions())
    assert (len(train), len(held_out)) == (862, 214)


def test_every_operator_is_held_out_in_its_share() -> None:
    train, held_out = questions.split_questions()
    for operator in questions.OPERATORS:
        held = sum(q.operator == operator for q in held_out)
        share = held / (held + sum(q.operator == operator for q in train))
        assert abs(share - questions.HELD_OUT_SHARE) < 0.03


def test_the_committed_prompt_files_are_what_the_recipe_writes(countdown: Path, tmp_path: Path) -> None:
    questions.write_prompts(tmp_path)
    for name in ("train.jsonl", "heldout.jsonl"):
        assert (tmp_path / name).read_bytes() == (countdown / "prompts" / name).read_bytes(), name


def test_the_verifier_takes_every_committed_row(countdown: Path) -> None:
    for name in ("train.jsonl", "heldout.jsonl"):
        for line in (countdown / "prompts" / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            assert set(row) == {"prompt", "nums", "target"}
            Countdown().check_row(row)
