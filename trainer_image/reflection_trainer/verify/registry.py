"""From a name and options in a resource to a verifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reflection_api.verifiers import parse_options

from .code import Code
from .countdown import Countdown
from .exact import Exact
from .function_call import FunctionCall
from .json_schema import JsonSchema
from .math import Math
from .reasoning_gym import ReasoningGym
from .regex import Regex
from .verifier import Verifier

BUILDERS: dict[str, Callable[[Any], Verifier]] = {
    "code": Code,
    "countdown": Countdown,
    "exact": Exact,
    "function_call": FunctionCall,
    "json_schema": JsonSchema,
    "math": Math,
    "reasoning_gym": ReasoningGym,
    "regex": Regex,
}
"""What makes each built-in verifier from its options, which have the type that `reflection_api.verifiers.OPTIONS` names."""


def make_verifier(name: str, options: Mapping[str, Any] | None = None) -> Verifier:
    """The built-in verifier `name`.

    Raises:
        InvalidVerifier: the name is unknown, or an option is unknown or has a value that it cannot take.
    """
    checked = parse_options(name, {} if options is None else options)
    return BUILDERS[name](checked)
