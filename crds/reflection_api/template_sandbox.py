"""Jinja for templates that strangers write and texts that models write: no way out, no way to eat the machine.

On top of Jinja's sandbox, which closes the way to Python, everything that repeats or grows is bounded: the size of every
value and of the result, the iterations of all loops together, and the work in all. What conversation templates have no use
for (macros, includes, formatting to a width) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import update_wrapper
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_TEXT = 4_000_000
"""Characters of a rendered text, or of any value on the way to it."""
MAX_ITERATIONS = 10_000
"""Iterations of all loops of one rendering together, and the longest `range`."""
MAX_WORK = 20_000_000
"""Characters and elements that one rendering may look at: a few seconds."""

_STATEMENTS = (nodes.Output, nodes.If, nodes.For, nodes.Assign, nodes.With)
_FILTERS = (
    "abs capitalize count d default first float int items last length list lower map max min reject "
    "rejectattr reverse round select selectattr sort string sum title tojson trim truncate unique upper "
    "wordcount"
)
_TEXT_METHODS = (
    "capitalize count endswith find isdigit lower lstrip removeprefix removesuffix rstrip split "
    "splitlines startswith strip title upper"
)
_EACH = "each"


@dataclass
class _Budget:
    """What is left for one rendering."""

    iterations: int = MAX_ITERATIONS
    work: int = MAX_WORK


_budget: ContextVar[_Budget] = ContextVar("budget")
"""Unset while a template is compiled: filters then fail, and Jinja leaves their work to the rendering."""


class TooLarge(SecurityError):
    """A template asks for more than it may have."""


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja with bounds; templates of it are rendered with `render_bounded`."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=_bounded)
        self.globals = {"range": _range}
        self.filters = {name: _on_bounded(self.filters[name]) for name in _FILTERS.split()}
        self.filters |= {"join": _join, "replace": _replace, _EACH: _each}

    def parse_bounded(self, text: str) -> nodes.Template:
        """The syntax tree of a template, with every loop counted.

        Raises:
            TemplateSyntaxError: it is not a template, or it uses a statement that is left out here.
        """
        tree = self.parse(text)
        for node in list(tree.find_all(nodes.Stmt)):
            if not isinstance(node, _STATEMENTS) or getattr(node, "recursive", False):
                raise TemplateSyntaxError("only if, for, set and with are known here", node.lineno)
        _Bounding().visit(tree)
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`row.items` is the column of that name, not a method."""
        if isinstance(obj, Mapping):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A missing key is named with those that there are."""
        if isinstance(obj, Mapping):
            if argument in obj:
                return obj[argument]
            known = ", ".join(map(str, islice(obj, 20))) or "nothing"
            return self.undefined(f"there is no {argument!r} here, only {known}")
        return super().getitem(obj, argument)

    def is_safe_callable(self, obj: Any) -> bool:
        """Nothing may be called but `range` and methods that make a text shorter or look into it."""
        if obj is _range or (
            isinstance(getattr(obj, "__self__", None), str) and obj.__name__ in _TEXT_METHODS.split()
        ):
            return True
        raise SecurityError(f"only range and these methods of texts can be called: {_TEXT_METHODS}")

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers as usual; texts and lists grow by `+` alone, and numbers stay small."""
        if operator == "+" and not (_is_number(left) and _is_number(right)):
            return _bounded(left + right)
        if not (_is_number(left) and _is_number(right)):
            raise TooLarge(f"{operator} is for numbers here")
        if operator == "**" and (abs(left) > 1_000_000 or abs(right) > 16):
            raise TooLarge("the power is too large")
        return _bounded(super().call_binop(context, operator, left, right))


def render_bounded(chunks: Callable[[], Iterable[str]]) -> str:
    """The text of a template's chunks, within the bounds."""
    token = _budget.set(_Budget())
    try:
        return _collected(chunks(), "")
    finally:
        _budget.reset(token)


class _Bounding(NodeTransformer):
    """Sends what loops run over, and texts that are put together, through filters that count."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _EACH, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)


def _each(values: Iterable[Any]) -> list[Any]:
    """The values of a loop; taken off what all loops of a rendering may do."""
    budget = _budget.get()
    taken = list(islice(values, budget.iterations + 1))
    budget.iterations -= len(taken)
    if budget.iterations < 0:
        raise TooLarge(f"the loops take more than {MAX_ITERATIONS} iterations")
    return taken


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_ITERATIONS:
        raise TooLarge(f"range is longer than {MAX_ITERATIONS}")
    return numbers


def _on_bounded(filtered: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that takes and gives bounded values only."""

    def checked(*arguments: Any, **options: Any) -> Any:
        for argument in (*arguments, *options.values()):
            _bounded(argument)
        return _bounded(filtered(*arguments, **options))

    # Jinja marks on the function whether it wants the context or the environment first.
    return update_wrapper(checked, filtered)


def _join(values: Iterable[Any], separator: str = "") -> str:
    return _collected((str(_bounded(value)) for value in values), str(separator))


def _replace(text: str, old: str, new: str) -> str:
    text, old, new = str(_bounded(text)), str(old), str(new)
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise TooLarge(f"the text grows beyond {MAX_TEXT} characters")
    return text.replace(old, new)


def _collected(chunks: Iterable[str], separator: str) -> str:
    parts: list[str] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk) + len(separator)
        if size > MAX_TEXT:
            raise TooLarge(f"the text grows beyond {MAX_TEXT} characters")
    return separator.join(parts)


def _bounded(value: Any) -> Any:
    """The value itself, if its text is no longer than `MAX_TEXT`."""
    budget = _budget.get()
    room, waiting = min(MAX_TEXT, budget.work), [value]
    while waiting:
        part = waiting.pop()
        size = _own_size(part)
        room -= size
        budget.work -= size
        if room < 0:
            raise TooLarge(
                f"a value grows beyond {MAX_TEXT} characters, or all of them together beyond {MAX_WORK}"
            )
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            waiting += part
    return value


def _own_size(value: Any) -> int:
    """About how long the value's text is, what it contains left out."""
    if isinstance(value, str):
        return len(value) + 1
    return value.bit_length() // 3 + 1 if isinstance(value, int) else 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
