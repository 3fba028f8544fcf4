"""The side of the answer: code that a model wrote, in a locked-down child of its own.

It defines things and does what it is asked with them: call, read an attribute, go on to the next element. It never sees the
tests, and it is not asked whether they passed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..confine.plain import decode, encode
from ..confine.wire import Hung, Wire

MODULE = 0
"""The handle of the dictionary of all that the code defines."""

OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": lambda target, *args, **kwargs: target(*args, **kwargs),
    "attribute": getattr,
    "assign": setattr,
    "iterate": iter,
    "next": next,
    "length": len,
    "item": operator.getitem,
    "assign item": operator.setitem,
    "contains": operator.contains,
}


def serve(code: str, wire: Wire) -> None:
    """Run the code, say how that went, and do as asked until the other side ends."""
    scope: dict[Any, Any] = {"__name__": "answer", "__builtins__": __builtins__}
    try:
        exec(compile(code, "answer.py", "exec", dont_inherit=True), scope)  # noqa: S102 - what this place is for
    except BaseException as error:  # noqa: BLE001 - whatever hostile code raises
        wire.send({"raised": _raised(error)})
        return
    wire.send({"names": [name for name in scope if isinstance(name, str) and not name.startswith("__")]})
    things: list[Any] = [scope]
    while True:
        try:
            wire.send(_done(wire.receive(), things))
        except Hung:
            return


def _done(request: Any, things: list[Any]) -> Any:
    """The answer to one request; what the call left in its arguments comes back with it."""

    def keep(value: Any) -> int:
        things.append(value)
        return len(things) - 1

    try:
        operation, target, args, kwargs = request
        args, kwargs = decode(args, things.__getitem__), decode(kwargs, things.__getitem__)
        value = OPERATIONS[operation](things[target], *args, **kwargs)
        return {"value": encode(value, keep), "args": encode(args, keep)}
    except BaseException as error:  # noqa: BLE001 - whatever hostile code raises
        return {"raised": _raised(error)}


def _raised(error: BaseException) -> list[str]:
    """The names of an exception's classes, its own first."""
    return [kind.__name__ for kind in type(error).__mro__]
