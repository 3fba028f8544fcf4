"""Right by construction passes, and every smallest corruption fails with the right reason.

Answers are made from random expression trees whose value is computed on the tree, without the parser under test.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from reflection_api.items import Item
from reflection_trainer.verify.countdown import Countdown

BLANKS = ("", "", " ", "  ", "\t")


class Node(NamedTuple):
    operator: str
    left: Node | int
    right: Node | int


Tree = Node | int


class Puzzle(NamedTuple):
    nums: list[int]
    target: int
    tokens: list[str]
    """A right answer; white space may stand between any two."""


def value(tree: Tree) -> Fraction | None:
    if isinstance(tree, int):
        return Fraction(tree)
    left, right = value(tree.left), value(tree.right)
    if left is None or right is None or (tree.operator == "/" and right == 0):
        return None
    return {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[tree.operator](
        right
    )


def without_division(tree: Tree) -> Tree:
    if isinstance(tree, int):
        return tree
    operator = "*" if tree.operator == "/" else tree.operator
    return Node(operator, without_division(tree.left), without_division(tree.right))


def needs_parentheses(child: Tree, parent: str, on_the_right: bool) -> bool:
    if isinstance(child, int):
        return False
    weak = child.operator in "+-"
    if parent in "+-":
        return on_the_right and weak
    return weak or on_the_right


def render(tree: Tree, extra: st.DataObject) -> list[str]:
    """The tokens of a tree: the parentheses that it needs, and others at random."""
    if isinstance(tree, int):
        tokens = [str(tree)]
    else:
        tokens = []
        for child, on_the_right in ((tree.left, False), (tree.right, True)):
            part = render(child, extra)
            tokens += ["(", *part, ")"] if needs_parentheses(child, tree.operator, on_the_right) else part
            tokens += [] if on_the_right else [tree.operator]
    return ["(", *tokens, ")"] if extra.draw(st.integers(0, 4)) == 0 else tokens


@st.composite
def trees(draw: st.DrawFn, least: int = 1) -> tuple[list[int], Tree]:
    nums = draw(st.lists(st.one_of(st.integers(0, 12), st.integers(0, 999)), min_size=least, max_size=6))
    forest: list[Tree] = list(nums)
    while len(forest) > 1:
        left = forest.pop(draw(st.integers(0, len(forest) - 1)))
        right = forest.pop(draw(st.integers(0, len(forest) - 1)))
        forest.append(Node(draw(st.sampled_from("+-*/")), left, right))
    return draw(st.permutations(nums)), forest[0]


@st.composite
def puzzles(draw: st.DrawFn, least: int = 1) -> Puzzle:
    nums, tree = draw(trees(least))
    worth = value(tree)
    if worth is None or worth.denominator != 1:
        tree = without_division(tree)
        worth = value(tree)
    assert worth is not None
    return Puzzle(nums, int(worth), render(tree, draw(st.data())))


def spaced(data: st.DataObject, tokens: list[str], blanks: tuple[str, ...] = BLANKS) -> str:
    return "".join(data.draw(st.sampled_from(blanks)) + token for token in tokens) + data.draw(
        st.sampled_from(blanks)
    )


prose = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="<")).map(lambda text: f"so, {text}")
"""Whatever comes before an answer. It may hold line breaks, digits, and even whole lines that parse."""
words = st.lists(st.sampled_from(["well then", "I add 3 and 4", "that is -12", "Done.", ""])).map("\n".join)
"""Lines that are never taken for an answer."""


@st.composite
def completions(draw: st.DrawFn, answer: str) -> str:
    """A completion with this answer in it: between tags anywhere, or as the last line that parses."""
    before = draw(prose)
    if draw(st.booleans()):
        decoy = draw(st.sampled_from(["", "<answer>1 + 1</answer>", "<answer>", "</answer>"]))
        after = draw(st.sampled_from(["", " done", "\n1 + 1", "</answer>", "\n<answer>2 +", "<answer"]))
        return f"{before}{decoy}<answer>{answer}</answer>{after}"
    return f"{before}\n{answer}\n{draw(words)}"


def reason(completion: str, nums: list[int], target: int) -> str:
    row = {"nums": nums, "target": target}
    [verdict] = Countdown().verify([Item(id="x", completion=completion, row=row)])
    assert verdict.reason in Countdown.reasons
    assert verdict.correct == (verdict.reason == "correct")
    return verdict.reason


@given(puzzles(), st.data())
def test_right_by_construction_passes(puzzle, data):
    answer = spaced(data, puzzle.tokens)
    if data.draw(st.booleans()):
        answer += f"= {data.draw(st.sampled_from([str(abs(puzzle.target)), '(1 + 2) * 7']))}"
    assert reason(data.draw(completions(answer)), puzzle.nums, puzzle.target) == "correct"


@given(puzzles(), st.integers(-1000, 1000).filter(bool), st.data())
def test_another_target_is_missed(puzzle, shift, data):
    completion = data.draw(completions(spaced(data, puzzle.tokens)))
    assert reason(completion, puzzle.nums, puzzle.target + shift) == "missed_target"


@given(puzzles(), st.data())
def test_a_number_changed_doubled_or_dropped_is_a_wrong_number(puzzle, data):
    places = [index for index, token in enumerate(puzzle.tokens) if token.isdigit()]
    place = data.draw(st.sampled_from(places))
    number = puzzle.tokens[place]
    other = str(data.draw(st.integers(0, 10**30)))
    assume(other != number)
    replacement = data.draw(st.sampled_from([[other], ["(", number, "+", number, ")"], [number, "*", "1"]]))
    tokens = [*puzzle.tokens[:place], *replacement, *puzzle.tokens[place + 1 :]]
    assert reason(data.draw(completions(spaced(data, tokens))), puzzle.nums, puzzle.target) == "wrong_numbers"
    # The other way round: the row has one number more than the answer.
    completion = data.draw(completions(spaced(data, puzzle.tokens)))
    assert reason(completion, [*puzzle.nums, int(number)], puzzle.target) == "wrong_numbers"


def broken(data: st.DataObject, tokens: list[str]) -> list[str]:
    """The tokens with one smallest change after which they are no equation."""
    numbers = [index for index, token in enumerate(tokens) if token.isdigit()]
    operators = [index for index, token in enumerate(tokens) if token in {"+", "-", "*", "/"}]
    at_number = data.draw(st.sampled_from(numbers))
    number = tokens[at_number]
    changes = [
        (at_number, ["-", number]),
        (at_number, ["+", number]),
        (at_number, ["(", "-", number, ")"]),
        (at_number, [number, ".0"]),
        (at_number, [f"0{number}"]),
        (at_number, [f"{number} {number}"]),
        (at_number, [chr(0xFF10 + int(number[0])), number[1:]]),
        (at_number, [number.translate({ord("0") + digit: 0x0660 + digit for digit in range(10)})]),
        (at_number, [f"{number}\u0663"]),
        (at_number, [f"{number}\u200b"]),
        (at_number, ["(", number]),
        (at_number, [number, ")"]),
        (at_number, [number, "(", ")"]),
        (at_number, [number, "!"]),
        (len(tokens) - 1, [tokens[-1], "=="]),
        (len(tokens) - 1, [tokens[-1], "=", number, "=", number]),
        (len(tokens) - 1, [tokens[-1], "="]),
        (len(tokens) - 1, [tokens[-1], "= -", number]),
    ]
    if operators:
        at_operator = data.draw(st.sampled_from(operators))
        alike = {"+": "\uff0b", "-": "\u2212", "*": "\u00d7", "/": "\u00f7"}[tokens[at_operator]]
        changes += [(at_operator, [other]) for other in (alike, "**", "//", "^", "%", ",", " ", "x", "=*")]
    place, replacement = data.draw(st.sampled_from(changes))
    return [*tokens[:place], *replacement, *tokens[place + 1 :]]


@settings(max_examples=300)
@given(puzzles(), st.data())
def test_a_broken_form_is_an_invalid_equation(puzzle, data):
    answer = spaced(data, broken(data, puzzle.tokens), (" ",))
    tagged = f"{data.draw(prose)}<answer>{answer}</answer>"
    assert reason(tagged, puzzle.nums, puzzle.target) == "invalid_equation"
    bare = f"{data.draw(words)}\n{answer}\n{data.draw(words)}"
    assert reason(bare, puzzle.nums, puzzle.target) == "invalid_equation"


@given(puzzles(), words)
def test_an_answer_in_words_or_cut_off_is_no_equation(puzzle, text):
    answer = " ".join(puzzle.tokens)
    for completion in (text, f"{text}\nThe answer is {answer}", f"{text}\n<answer>{answer}"):
        assert reason(completion, puzzle.nums, puzzle.target) == "no_equation"


hostile = st.lists(
    st.sampled_from(
        [
            *"0123456789+-*/()= \t\r\n.x\u00d7\u2212\uff13\u200b\x00",
            "<answer>",
            "</answer>",
            "3",
            "4",
            "3 * 4",
            "\n3*4\n",
        ]
    ),
    max_size=60,
).map("".join)


@given(st.one_of(hostile, st.text()))
@example("<answer>3*4</answer>")
def test_no_completion_raises_and_right_ones_hold_a_right_form(completion):
    """With 3, 4 and 12 there are only two products, whatever the parentheses and blanks."""
    if reason(completion, [3, 4], 12) == "correct":
        bare = completion.translate({ord(blank): None for blank in " \t\r\n()"})
        assert "3*4" in bare or "4*3" in bare
