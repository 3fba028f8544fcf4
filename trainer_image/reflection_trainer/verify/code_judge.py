"""The side of the tests: the row's tests, in a locked-down child of their own.

What the answer defines is here only as proxies: each use of one is a message to the answer's child, and what comes back is
plain data or another proxy. So the answer can neither read the tests, nor change them, nor say that they passed.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from ..confine.plain import NotPlain, copy_back, decode, encode
from ..confine.wire import Hung, Wire
from .code_answer import MODULE

CORRECT, WRONG_ANSWER, RUNTIME_ERROR, SYNTAX_ERROR = (
    "correct",
    "wrong_answer",
    "runtime_error",
    "syntax_error",
)
MISSING_NAME, OUT_OF_MEMORY, CRASHED, BAD_TESTS = "missing_name", "out_of_memory", "crashed", "bad_tests"


class BadTests(BaseException):
    """The tests hand the answer something that cannot cross. No `except Exception` of theirs catches it."""


class RaisedByAnswer(Exception):
    """The answer raised an exception of a class of its own."""


class Answer:
    """The answer's child, as the tests see it."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.hung = False
        self.raised: BaseException | None = None
        """The last exception that came from the answer: if it ends the tests, it is the answer's fault."""

    def do(self, operation: str, target: int, *args: Any, **kwargs: Any) -> Any:
        """Have something done with a thing of the answer's.

        Raises:
            Hung: the answer's child has ended.
            Exception: what the answer raised, as the nearest of Python's own classes.
        """
        try:
            self.wire.send([operation, target, encode(args, _handle), encode(kwargs, _handle)])
            reply = self.wire.receive()
            if "raised" in reply:
                self.raised = _exception(reply["raised"])
                raise self.raised
            value = decode(reply["value"], self._thing)
            for old, new in zip(args, decode(reply["args"], self._thing), strict=True):
                copy_back(old, new)
        except (Hung, NotPlain, KeyError, TypeError) as error:
            if error is self.raised:
                raise
            self.hung = True
            raise Hung from error
        return value

    def _thing(self, handle: int) -> Thing:
        return Thing(self, handle)


class Thing:
    """Something of the answer's that is no plain data: a function, a class, an object, an iterator."""

    __slots__ = ("_answer", "_at")

    def __init__(self, answer: Answer, handle: int) -> None:
        object.__setattr__(self, "_answer", answer)
        object.__setattr__(self, "_at", handle)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer.do("call", self._at, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return self._answer.do("attribute", self._at, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._answer.do("assign", self._at, name, value)

    def __iter__(self) -> Iterator[Any]:
        iterator: Iterator[Any] = self._answer.do("iterate", self._at)
        return iterator

    def __next__(self) -> Any:
        return self._answer.do("next", self._at)

    def __len__(self) -> int:
        length: int = self._answer.do("length", self._at)
        return length

    def __getitem__(self, key: Any) -> Any:
        return self._answer.do("item", self._at, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._answer.do("assign item", self._at, key, value)

    def __contains__(self, item: Any) -> bool:
        return bool(self._answer.do("contains", self._at, item))

    def _refuse(self, *_: object) -> NoReturn:
        """Equal, smaller, true? An object that says so about itself proves nothing."""
        raise TypeError("the answer gave an object where plain data were expected")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __hash__ = _refuse


def judge(tests: str, entry_point: str, wire: Wire) -> str:
    """Run the tests and say how that went."""
    answer = Answer(wire)
    try:
        start = wire.receive()
        if "raised" in start:
            return _class_of(_exception(start["raised"]), SYNTAX_ERROR)
        scope = _scope(tests, entry_point, answer, set(start["names"]))
        exec(compile(tests, "tests.py", "exec", dont_inherit=True), scope)  # noqa: S102 - the row's own tests
        if entry_point and entry_point not in scope:
            return MISSING_NAME
        if entry_point:
            scope["check"](scope[entry_point])
    except BadTests as error:
        return f"{BAD_TESTS}: {error}"
    except BaseException as error:  # noqa: BLE001 - whatever ends the tests, they did not pass
        return _verdict(error, answer)
    return CRASHED if answer.hung else CORRECT


def _verdict(error: BaseException, answer: Answer) -> str:
    if answer.hung or isinstance(error, Hung):
        return CRASHED
    if error is answer.raised:
        return _class_of(error, RUNTIME_ERROR)
    if isinstance(error, NameError):
        return MISSING_NAME
    return OUT_OF_MEMORY if isinstance(error, MemoryError) else WRONG_ANSWER


def _class_of(error: BaseException, syntax: str) -> str:
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    return syntax if isinstance(error, SyntaxError) else RUNTIME_ERROR


def _scope(tests: str, entry_point: str, answer: Answer, defined: set[str]) -> dict[str, Any]:
    """The names of the tests: of the answer's only those that the tests need from it, and none of Python's own."""
    scope: dict[str, Any] = {"__name__": "tests"}
    for name in (needed_names(tests) | {entry_point}) & defined:
        module = sys.modules.get(name)
        scope[name] = answer.do("item", MODULE, name) if module is None else module
    return scope


def needed_names(tests: str) -> set[str]:
    """Names that the tests use, do not define themselves, and that are not built into Python."""
    used, own = set[str](), set[str](dir(builtins))
    for node in ast.walk(ast.parse(tests)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else own).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            own.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    return used - own


def _handle(value: Any) -> int:
    if isinstance(value, Thing):
        return int(object.__getattribute__(value, "_at"))
    raise BadTests(f"the tests hand the answer {type(value).__name__}, which is no plain data")


def _exception(names: Any) -> BaseException:
    for name in names:
        kind = getattr(builtins, str(name), None)
        if isinstance(kind, type) and issubclass(kind, Exception):
            return RaisedByAnswer() if kind is Exception else kind()
    return RaisedByAnswer()
