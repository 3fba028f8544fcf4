"""The verifier reasoning_gym: the package's own scorers are the oracle, and an answer that would run code does nothing."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.items import Item, Message
from reflection_api.spec import AuditSpec
from reflection_trainer.verify import reasoning_gym_library
from reflection_trainer.verify.audit import audit
from reflection_trainer.verify.canaries import canaries
from reflection_trainer.verify.reasoning_gym_library import (
    EVALUATES_ANSWERS,
    SHARED_ANSWERS,
    TOO_KIND,
    UNSUPPORTED,
)
from reflection_trainer.verify.registry import make_verifier
from reflection_trainer.verify.verifier import RowError

VERIFIER = make_verifier("reasoning_gym")
ENTRIES = 3
NOT_MADE = {"zebra_puzzles"}
"""Its generator needs pycosat; its scorer does not."""
NO_SOLUTION = {"boxnet", "rush_hour"}
"""Their entries hold no right answer."""


@pytest.fixture(scope="module")
def library():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return reasoning_gym_library.load()


@pytest.fixture(scope="module")
def entries(library):
    """Of each dataset a few entries, as they come back from a file of JSON."""
    made = {}
    for name in VERIFIER._datasets:
        if name not in NOT_MADE:
            dataset = library.create_dataset(name, seed=7)
            made[name] = [json.loads(json.dumps(dataset[index])) for index in range(ENTRIES)]
    return made


def reasons(*pairs: tuple[str, dict[str, object]]) -> list[str]:
    items = [Item(id=str(n), completion=text, row={"entry": entry}) for n, (text, entry) in enumerate(pairs)]
    verdicts = VERIFIER.verify(items)
    assert all(verdict.correct == (verdict.reason == "correct") for verdict in verdicts)
    return [verdict.reason for verdict in verdicts]


def test_nearly_every_dataset_of_the_package_is_there(library):
    assert set(VERIFIER._datasets) == set(library.factory.DATASETS) - set(UNSUPPORTED)
    assert len(VERIFIER._datasets) >= 100


def test_the_own_answer_of_every_entry_is_right(entries):
    pairs, without = [], set()
    for name, made in entries.items():
        for entry in made:
            VERIFIER.check_row({"entry": entry})
            gold = VERIFIER.gold({"entry": entry})
            if gold is None:
                without.add(name)
            else:
                pairs.append((gold, entry))
    assert without == NO_SOLUTION
    found = reasons(*pairs)
    assert [
        pairs[at][1]["metadata"]["source_dataset"] for at, reason in enumerate(found) if reason != "correct"
    ] == []


def test_agrees_with_the_scorers_themselves(library, entries):
    """On answers without code: the right one, corruptions of it, and another entry's. Run here, without any lock."""
    pairs, expected = [], []
    for name, made in entries.items():
        scorer = library.create_dataset(name)
        for entry, other in zip(made, made[1:] + made[:1], strict=True):
            answer = entry["answer"] if isinstance(entry["answer"], str) else "1"
            shifted = re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), answer, count=1)
            for text in {answer, shifted, answer[:-1], f"{answer} 1", str(other["answer"]), "0", "x + 1"}:
                if not text.strip() or name in {"arc_agi", "rearc", *TOO_KIND}:
                    continue
                pairs.append((text, entry))
                expected.append(own_score(scorer, text.strip(), entry) == 1)
    found = reasons(*pairs)
    different = [
        (pairs[at][1]["metadata"]["source_dataset"], pairs[at][0][:60], reason)
        for at, reason in enumerate(found)
        if (reason == "correct") != expected[at]
    ]
    assert different == []
    assert 100 < sum(expected) < len(expected)


@settings(max_examples=60)
@given(data=st.data(), seed=st.integers(0, 2**31 - 1))
def test_any_entry_is_judged_as_its_scorer_does(library, data, seed):
    """A dataset, a seed and corruptions are drawn: gold passes, and on every other text the two verdicts are one."""
    name = data.draw(st.sampled_from(sorted(set(VERIFIER._datasets) - NOT_MADE)), label="dataset")
    made = library.create_dataset(name, seed=seed, size=1)[0]
    entry = json.loads(json.dumps(made))
    gold = VERIFIER.gold({"entry": entry})
    answer = gold.removeprefix("<answer>").removesuffix("</answer>") if gold else "1"
    texts = [answer, *(data.draw(corrupted(answer), label="corrupted") for _ in range(3)), "", " \n"]
    scorer = library.create_dataset(name)
    expected = [own_score(scorer, text.strip(), made) == 1 for text in texts]
    found = reasons(*((text, entry) for text in texts))
    right = [reason == "correct" for reason in found]
    if name in TOO_KIND:
        assert right[0]
        assert all(theirs for ours, theirs in zip(right, expected, strict=True) if ours)
    else:
        assert right == expected
    assert expected[0] or name in NO_SOLUTION, "the entry's own answer is right"
    assert answer == "" or found[-2:] == ["no_answer", "no_answer"]


def corrupted(answer):
    """The answer with one change: a character less, another digit, something behind it, or its beginning alone."""
    at = st.integers(0, max(0, len(answer) - 1))
    return st.one_of(
        at.map(lambda place: answer[:place] + answer[place + 1 :]),
        at.map(lambda place: answer[:place] + "7" + answer[place + 1 :]),
        at.map(lambda place: answer[:place]),
        st.sampled_from([" 1", "\n0", "x", ")", "]", "."]).map(lambda more: answer + more),
        st.just(answer.swapcase()),
        st.just(answer[::-1]),
    )


def own_score(scorer, answer, entry):
    try:
        return scorer.score_answer(answer, entry)
    except Exception:
        return 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("coin_flip", "0"),
        ("coin_flip", "0."),
        ("complex_arithmetic", "nan"),
        ("complex_arithmetic", "( NaN )"),
        ("game_of_life_halting", "no idea"),
        ("game_of_life_halting", "TrueFalse"),
    ],
)
def test_wrong_answers_that_a_scorer_takes_for_right_are_wrong(library, entries, name, text):
    made = entries[name]
    assert [own_score(library.create_dataset(name), text, entry) for entry in made] == [1.0] * ENTRIES
    assert set(reasons(*((text, entry) for entry in made))) == {"wrong_answer"}
    assert set(reasons(*((entry["answer"], entry) for entry in made))) == {"correct"}


def test_an_empty_answer_is_right_where_the_entry_s_own_is_empty(library):
    dataset = library.create_dataset("ab", seed=11, size=12)
    empty, other = (
        next(entry for entry in dataset if (entry["answer"] == "") == wanted) for wanted in (True, False)
    )
    assert own_score(dataset, "", empty) == 1
    texts = ("", "<answer> </answer>", "A#")
    assert reasons(*((text, empty) for text in texts)) == ["correct", "correct", "wrong_answer"]
    assert reasons((VERIFIER.gold({"entry": empty}), empty), ("", other)) == ["correct", "no_answer"]


def test_the_datasets_that_share_answers_are_there(library):
    assert set(SHARED_ANSWERS) <= library.factory.DATASETS.keys()


@pytest.mark.parametrize("name", [*SHARED_ANSWERS, "basic_arithmetic", "word_ladder"])
def test_a_sound_scorer_passes_its_audit(library, name):
    """What is right for another entry is a way to cheat only where it cannot be right here, too."""
    sample = [
        Item(
            id=str(n),
            messages=[Message(role="user", content=made["question"])],
            completion="hm",
            row={"entry": made},
        )
        for n, made in enumerate(json.loads(json.dumps(list(library.create_dataset(name, seed=3, size=8)))))
    ]
    found = audit(VERIFIER, VERIFIER.verify, sample, AuditSpec())
    assert (found.gold, found.gold_refused, found.canaries_accepted) == (8, 0, 0)
    kinds = {canary.kind for canary in canaries(sample, VERIFIER)}
    assert ("the right answer to another question" in kinds) is (name not in SHARED_ANSWERS)


HOSTILE = [
    "__import__('os').system('touch /tmp/escaped-from-gym')",
    "__import__('os').write(4, b'correct\\n')",
    "[__import__('os').write(4, b'correct\\n')]",
    "(lambda: 24)()",
    "exec('import os')",
    "Symbol('x').__class__.__mro__",
    "().__class__.__base__.__subclasses__()",
    "lambdify('x', '__import__(\"os\").write(4, b\"correct\")')(1)",
    'S(\'__import__("os").write(4, b"correct\\n")\')',
    'sympify(\'__import__("os").write(4, b"correct\\n")\')',
    "x.func.__globals__",
    "open('/etc/passwd').read()",
    "input()",
    "[" * 5_000 + "]" * 5_000,
    "(" * 5_000 + "1" + ")" * 5_000,
    "-" * 10_000 + "1",
]
EXECUTING = [
    "countdown", "puzzle24", "polynomial_multiplication", "simple_integration", "intermediate_integration",
    *(name.partition(".")[2] for name in EVALUATES_ANSWERS),
]  # fmt: skip


@pytest.mark.parametrize("name", EXECUTING)
def test_an_answer_that_would_run_code_does_nothing(entries, name):
    entry = entries[name][0]
    found = reasons(*((text, entry) for text in HOSTILE))
    assert "correct" not in found
    assert not Path("/tmp/escaped-from-gym").exists()
    assert reasons((VERIFIER.gold({"entry": entry}), entry)) == ["correct"], (
        "and what follows is judged as ever"
    )


def test_an_answer_that_takes_forever_is_stopped(entries):
    entry = entries["puzzle24"][0]
    assert reasons(("9**9**9**9", entry), ("factorial(10**9)", entry)) == ["too_complex", "too_complex"]


TO_ALL = {
    "a tower": "9**9**9**9",
    "parentheses": "(" * 9_000 + "1" + ")" * 9_000,
    "lists": "[" * 9_000 + "]" * 9_000,
    "one number": "9" * 20_000,
    "many numbers": "1 " * 10_000,
    "many lines": "1\n" * 10_000,
    "many words": "a " * 10_000,
    "commas": "," * 20_000,
    "JSON": json.dumps({"answer": [[1] * 100] * 50}),
}


def test_no_scorer_takes_a_hostile_answer_for_right_or_stumbles(entries):
    pairs = [(text, made[0]) for made in entries.values() for text in TO_ALL.values()]
    found = reasons(*pairs)
    right = [
        pairs[at][1]["metadata"]["source_dataset"] for at, reason in enumerate(found) if reason == "correct"
    ]
    assert right == []
    assert set(found) <= {"wrong_answer", "too_complex"}


def test_without_the_lock_such_an_answer_runs(library, tmp_path):
    """What the lock is for: the package's own scorer executes the answer."""
    mark = tmp_path / "ran"
    entry = library.create_dataset("puzzle24")[0]
    library.create_dataset("puzzle24").score_answer(
        f"__import__('pathlib').Path({str(mark)!r}).touch()", entry
    )
    assert mark.exists()


def test_no_other_scorer_evaluates_answers(library):
    """The list of those that do is complete, at this version of the package."""
    root = Path(library.__file__).parent
    found = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in root.rglob("*.py")
        if re.search(
            r"\beval\((answer|.*answer.*)\)", path.read_text(encoding="utf-8").replace('entry["answer"]', "")
        )
    }
    assert found == set(EVALUATES_ANSWERS)


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("<answer>{}</answer>", "correct"),
        ("{}", "correct"),
        ("So: <answer>0</answer> no, <answer> {} </answer> yes", "correct"),
        ("The answer is {}", "wrong_answer"),
        ("<answer></answer>", "no_answer"),
        ("", "no_answer"),
        ("1" * 20_001, "too_long"),
    ],
)
def test_where_the_answer_is(entries, completion, expected):
    entry = entries["basic_arithmetic"][0]
    assert reasons((completion.format(entry["answer"]), entry)) == [expected]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({}, 'row has no "entry", which the reasoning_gym verifier needs (columns found: none)'),
        ({"entry": 7}, "entry is an integer: 7"),
        ({"entry": "{"}, "entry is a string, but not JSON"),
        ({"entry": {"answer": "1"}}, "entry has no answer or no metadata"),
        ({"entry": {"answer": "1", "metadata": {}}}, "entry.metadata has no source_dataset"),
        ({"entry": {"answer": "1", "metadata": {"source_dataset": "chess"}}}, 'there is no dataset "chess"'),
        (
            {"entry": {"answer": "1", "metadata": {"source_dataset": "composite"}}},
            'there is no dataset "composite"',
        ),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused(row, problem):
    with pytest.raises(RowError) as error:
        VERIFIER.check_row(row)
    assert error.value.column == "entry"
    assert error.value.problem.startswith(problem)
    assert error.value.remedy


def test_the_option_names_the_dataset_where_the_entry_does_not(entries):
    entry = json.loads(json.dumps(entries["basic_arithmetic"][0]))
    del entry["metadata"]["source_dataset"]
    verifier = make_verifier("reasoning_gym", {"dataset": "basic_arithmetic"})
    [verdict] = verifier.verify([Item(id="x", completion=entry["answer"], row={"entry": json.dumps(entry)})])
    assert verdict.correct
