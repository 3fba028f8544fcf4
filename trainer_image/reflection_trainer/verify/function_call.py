"""Function call: the completion calls the right tools with the right arguments."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from reflection_api.items import Item, Verdict
from reflection_api.verifiers import FunctionCallOptions

from .call_match import OPTIONAL, Comparison, in_order, pairs_up
from .calls import MAX_CALLS, Call, NotCalls, calls_of, find_calls
from .json_text import MAX_CHARACTERS, NotJson, read_json
from .rows import column, kind, shown
from .verifier import CORRECT, Row, RowError

NO_CALL = "no_call"
INVALID_CALL = "invalid_call"
SEVERAL_ANSWERS = "several_answers"
WRONG_COUNT = "wrong_count"
UNKNOWN_TOOL = "unknown_tool"
WRONG_TOOL = "wrong_tool"
WRONG_PARAMETERS = "wrong_parameters"
WRONG_VALUES = "wrong_values"
WRONG_ORDER = "wrong_order"
TOO_LONG = "too_long"

_SHAPE = 'write a list of calls, for example [{"name": "area", "arguments": {"base": 3}}]'


class FunctionCall:
    """A completion is right if its calls are those of the row: the same tools, parameters and values, as a multiset.

    **Row.** `answers`: a list of 1 to 64 calls, or a string that holds it as JSON (the columns of
    `Salesforce/xlam-function-calling-60k` as they are). `tools`, optional: the tools to choose from, as a list of objects with
    a `name`, or of OpenAI's `{"type": "function", "function": {...}}`, or a string that holds it.

    **What a call is.** `{"name": ..., "arguments": {...}}`, or OpenAI's `{"type": "function", "function": {"name": ...,
    "arguments": ...}}`. The arguments are an object, or a string that holds one. A call may also have an `id`.

    **Where the calls are.** In `<tool_call>...</tool_call>` tags, which all together are one answer; or in a JSON value
    anywhere in the text, fenced or not: one call, a list of calls, or `{"tool_calls": [...]}`. Prose around it is allowed, and
    so is JSON that does not look like calls. The same answer may stand there twice; two different answers are wrong. A tag that
    is never closed (a completion that was cut off) begins no answer.

    **Equal.** Strictly: 3 is not 3.0, not "3" and not true; text counts to the last blank; lists keep their order; the order of
    names in an object says nothing. With `coerceNumbers` numbers are compared by value, and a string that is a JSON number
    counts as that number. The order of the calls says nothing, unless `ordered` is set.

    **Alternatives.** With `acceptAny` each argument of the row is a list of accepted values, as in Berkeley's data; an empty
    string among them means that the parameter may be left out. Inside an accepted object each value is such a list again.

    **JSON.** Strict: no `NaN`, no object with one name twice, at most 32 levels.

    **Order of the checks.** As in the table below.

    **Source.** The exact match of Reflect, Retry, Reward (arXiv 2505.24726) for APIGen: tool and every parameter and value. The
    paper leaves the order of calls and the types of numbers open. Berkeley's own scorer is more lenient: it compares strings
    without case, blanks and punctuation, takes an integer for a float, and checks only the elements' types in some lists (read
    in bfcl-eval 2026.3.23, not run). Two questions of its data, `live_simple_106-63-0` and `live_simple_112-68-0`, have a
    parameter without any accepted value, so that nothing can be right: they are refused as rows.
    """

    name = "function_call"
    version = 1
    meanings: ClassVar[Mapping[str, str]] = {
        CORRECT: "The calls are those of the row.",
        TOO_LONG: f"The completion has more than {MAX_CHARACTERS:,} characters.",
        INVALID_CALL: "Something is meant to be a call, but is broken JSON or has another shape.",
        NO_CALL: "There is nothing that looks like a call.",
        SEVERAL_ANSWERS: "There are two different answers.",
        WRONG_COUNT: "There are more or fewer calls than wanted.",
        UNKNOWN_TOOL: "A call names a tool that is not among the row's tools.",
        WRONG_TOOL: "The tools are not the wanted ones.",
        WRONG_PARAMETERS: "The tools are right, but a parameter is missing or one too many.",
        WRONG_VALUES: "Tools and parameters are right, but a value is not.",
        WRONG_ORDER: "The calls are right, but in another order (with the option `ordered` only).",
    }
    reasons = tuple(meanings)
    required_columns = ("answers",)

    def __init__(self, options: FunctionCallOptions | None = None) -> None:
        self.options = options or FunctionCallOptions()
        self._comparison = Comparison(self.options.coerce_numbers, self.options.accept_any)

    def check_row(self, row: Row) -> None:
        """Raise `RowError` unless `answers`, and `tools` where there are any, are what the rule says."""
        wanted, tools = self._wanted(row), _tools(row)
        strange = [call.name for call in wanted if tools is not None and call.name not in tools]
        if strange:
            raise RowError(
                "answers",
                f"answers calls {shown(strange[0])}, which is not among the row's tools",
                "add the tool, or leave the row out",
            )

    def gold(self, row: Row, /) -> str:
        """The row's own calls; of alternatives the first."""
        wanted = self._wanted(row)
        if self.options.accept_any:
            wanted = [Call(call.name, _first(call.arguments)) for call in wanted]
        return json.dumps([call._asdict() for call in wanted])

    def holds(self, text: str, completion: str) -> bool:
        """Whether the text has the completion's calls, in any of the shapes that calls may have."""
        if max(len(text), len(completion)) > MAX_CHARACTERS:
            return False
        (calls, *_), known = find_calls(completion).sets or [[]], find_calls(text).sets
        return bool(calls) and any(self._is_same_answer(calls, other) for other in known)

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order."""
        reasons = (self._judge(item) for item in items)
        return [
            Verdict(id=item.id, correct=reason == CORRECT, reason=reason)
            for item, reason in zip(items, reasons, strict=True)
        ]

    def _judge(self, item: Item) -> str:
        wanted, tools = self._wanted(item.row), _tools(item.row)
        if len(item.completion) > MAX_CHARACTERS:
            return TOO_LONG
        sets, malformed = find_calls(item.completion)
        if malformed:
            return INVALID_CALL
        if not sets:
            return NO_CALL
        first, *others = sets
        if not all(self._is_same_answer(first, other) for other in others):
            return SEVERAL_ANSWERS
        return self._compare(first, wanted, tools)

    def _is_same_answer(self, one: Sequence[Call], other: Sequence[Call]) -> bool:
        same = Comparison().same_call
        return in_order(one, other, same) if self.options.ordered else pairs_up(one, other, same)

    def _compare(self, calls: Sequence[Call], wanted: Sequence[Call], tools: set[str] | None) -> str:
        names = Counter(call.name for call in calls)
        if len(calls) != len(wanted):
            return WRONG_COUNT
        if tools is not None and not names.keys() <= tools:
            return UNKNOWN_TOOL
        if names != Counter(call.name for call in wanted):
            return WRONG_TOOL
        paired = partial(pairs_up, calls, wanted)
        if not paired(self._comparison.same_parameters):
            return WRONG_PARAMETERS
        if not paired(self._comparison.same_call):
            return WRONG_VALUES
        in_place = not self.options.ordered or in_order(calls, wanted, self._comparison.same_call)
        return CORRECT if in_place else WRONG_ORDER

    def _wanted(self, row: Row) -> list[Call]:
        value = _from_text(column(row, "answers", self.name), "answers", _SHAPE)
        if not isinstance(value, list):
            raise RowError("answers", f"answers is {kind(value)}: {shown(value)}", _SHAPE)
        if not 1 <= len(value) <= MAX_CALLS:
            raise RowError("answers", f"answers has {len(value)} calls", f"give 1 to {MAX_CALLS}")
        try:
            calls = calls_of(value)
        except NotCalls as error:
            raise RowError(
                "answers", f"answers has not the shape of calls: {shown(value)}", _SHAPE
            ) from error
        if self.options.accept_any:
            _check_alternatives(calls)
        return calls


def _check_alternatives(calls: Sequence[Call]) -> None:
    for call in calls:
        for name, value in call.arguments.items():
            if not isinstance(value, list) or not value:
                raise RowError(
                    "answers",
                    f"answers has for {name} of {call.name} {kind(value)}: {shown(value)}",
                    "with acceptAny give a list of accepted values, for example [3, 3.0]",
                )


def _first(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The first accepted value of each parameter; those that may be left out are, where nothing else is accepted."""
    chosen = {}
    for name, alternatives in arguments.items():
        values = alternatives if isinstance(alternatives, list) else [alternatives]
        real = [value for value in values if value != OPTIONAL]
        if real:
            chosen[name] = _one(real[0])
        elif OPTIONAL not in values:
            chosen[name] = values
    return chosen


def _one(value: Any) -> Any:
    if isinstance(value, dict):
        return _first(value)
    return [_one(inner) for inner in value] if isinstance(value, list) else value


def _tools(row: Row) -> set[str] | None:
    """The names of the row's tools; None where it has none."""
    if row.get("tools") is None:
        return None
    shape = 'write a list of tools, for example [{"name": "area"}]'
    tools = _from_text(row["tools"], "tools", shape)
    if not isinstance(tools, list):
        raise RowError("tools", f"tools is {kind(tools)}: {shown(tools)}", shape)
    inner = [tool.get("function", tool) if isinstance(tool, dict) else tool for tool in tools]
    for tool in inner:
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise RowError("tools", f"tools has one without a name: {shown(tool)}", shape)
    return {tool["name"] for tool in inner}


def _from_text(value: Any, name: str, remedy: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except NotJson as error:
        raise RowError(name, f"{name} is a string, but not JSON ({error}): {shown(value)}", remedy) from error
