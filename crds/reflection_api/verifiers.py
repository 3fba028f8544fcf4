"""The built-in verifiers: their names and their options.

The resource, the reference page and the verifiers themselves read these types, so that an option is described once.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError

from .base import ApiModel

BuiltinName = Literal[
    "code", "countdown", "exact", "function_call", "json_schema", "math", "reasoning_gym", "regex"
]

MAX_PATTERN = 1000
"""Characters of a regular expression."""
MAX_TEXT = 16_384
"""Characters of a longer text in the options."""

_Switch = Annotated[bool, Field(strict=True)]
"""true or false. Strict, or YAML's quoted "no" would count as a boolean."""


class CodeOptions(ApiModel):
    """The tests, and what a program may use."""

    tests: Annotated[str, Field(strict=True, min_length=1, max_length=MAX_TEXT)] | None = Field(
        None, description="The tests of rows that have none of their own, as Python source."
    )
    cpu_seconds: Annotated[int, Field(strict=True, ge=1, le=60)] = Field(
        4, description="Seconds of a processor for a program and its tests together."
    )
    memory_megabytes: Annotated[int, Field(strict=True, ge=64, le=4096)] = Field(
        256, description="Memory of a program, and again of its tests."
    )


class CountdownOptions(ApiModel):
    """Countdown has no options: its rule is fixed."""


class ExactOptions(ApiModel):
    """How literally `exact` compares."""

    strip: _Switch = Field(
        True, description="Leave out white space at both ends of the completion and of the right answer."
    )
    ignore_case: _Switch = Field(False, description="Compare without regard to case (Unicode case folding).")


class FunctionCallOptions(ApiModel):
    """How literally `function_call` compares."""

    ordered: _Switch = Field(False, description="The calls must come in the row's order.")
    coerce_numbers: _Switch = Field(
        False, description='Compare numbers by value: 3 is 3.0, and "3" counts as a number; true never does.'
    )
    accept_any: _Switch = Field(
        False,
        description="Each argument in the row is a list of accepted values, as in Berkeley's data; an empty string among "
        "them means that the parameter may be left out.",
    )


class JsonSchemaOptions(ApiModel):
    """Which schema the JSON must conform to."""

    json_schema: Annotated[str, Field(strict=True, min_length=1, max_length=MAX_TEXT)] | None = Field(
        None,
        alias="schema",
        description="The JSON Schema (draft 2020-12) of rows that have none of their own, as a JSON text.",
    )


class MathOptions(ApiModel):
    """Math has no options: its rule is that of math-verify."""


class ReasoningGymOptions(ApiModel):
    """Whose scorer judges."""

    dataset: Annotated[str, Field(strict=True, min_length=1, max_length=64)] | None = Field(
        None, description="The dataset of rows whose entry does not name one, for example basic_arithmetic."
    )


class RegexOptions(ApiModel):
    """Which pattern a completion must match, and how."""

    pattern: Annotated[str, Field(strict=True, min_length=1, max_length=MAX_PATTERN)] | None = Field(
        None, description="The pattern of rows that have none of their own (RE2 syntax)."
    )
    search: _Switch = Field(
        False,
        description="Look for the pattern anywhere in the completion; otherwise it must match the whole of it.",
    )


OPTIONS: dict[str, type[ApiModel]] = {
    "code": CodeOptions,
    "countdown": CountdownOptions,
    "exact": ExactOptions,
    "function_call": FunctionCallOptions,
    "json_schema": JsonSchemaOptions,
    "math": MathOptions,
    "reasoning_gym": ReasoningGymOptions,
    "regex": RegexOptions,
}
"""The type of each built-in verifier's options."""


class InvalidVerifier(ValueError):
    """There is no verifier of that name, or it has no such option or value."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field = field
        """`name`, `options` or `options.<option>`: relative to `spec.task.verifier.builtin`."""
        self.problem = problem
        self.remedy = remedy


def parse_options(name: str, options: Mapping[str, Any]) -> ApiModel:
    """The options of the verifier `name`, checked, with their defaults filled in.

    Raises:
        InvalidVerifier: the name is unknown, or an option is unknown or has a value that it cannot take.
    """
    if name not in OPTIONS:
        known = get_args(BuiltinName)
        raise InvalidVerifier("name", f"there is no built-in verifier {_shown(name)}", _instead(name, known))
    if not isinstance(options, Mapping):
        raise InvalidVerifier(
            "options", f"{_shown(options)} is not an object", 'write for example {"strip": true}'
        )
    try:
        return OPTIONS[name].model_validate(dict(options), by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors()[0]
        raise _bad_option(name, str(first["loc"][0]), first["type"], first["msg"], first["input"]) from None


def _bad_option(name: str, option: str, kind: str, message: str, value: object) -> InvalidVerifier:
    field = f"options.{option}"
    if kind == "extra_forbidden":
        known = tuple(info.alias or key for key, info in OPTIONS[name].model_fields.items())
        return InvalidVerifier(field, f"the {name} verifier has no such option", _instead(option, known))
    if kind == "bool_type":
        return InvalidVerifier(
            field, f"{_shown(value)} is not a boolean", "write true or false, without quotes"
        )
    wanted = message.removeprefix("Input ").removeprefix("String ")
    return InvalidVerifier(
        field, f"{_shown(value)} {wanted}", f"docs/reference/verifiers.md lists what {name} takes"
    )


def _instead(wrong: str, known: tuple[str, ...]) -> str:
    """What to write in place of an unknown word."""
    if not known:
        return "remove it: this verifier takes no options"
    folded = {word.lower(): word for word in known}
    near = difflib.get_close_matches(str(wrong).lower().replace("_", ""), folded, n=1)
    return f"did you mean {folded[near[0]]}?" if near else f"known are {', '.join(known)}"


def _shown(value: object) -> str:
    """A value as JSON, cut short."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= 60 else f"{text[:57]}..."
