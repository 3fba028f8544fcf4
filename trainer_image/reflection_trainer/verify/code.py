"""Code: the completion holds a program that passes the row's tests."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import ClassVar, NamedTuple

from reflection_api.items import Item, Verdict
from reflection_api.verifiers import CodeOptions, InvalidVerifier

from ..confine.cells import Cells
from ..confine.talk import Allowance, Refused, ask
from ..cpus import available_cpus
from . import code_judge
from .answers import fenced_blocks
from .rows import column, kind, shown
from .verifier import CORRECT, Row, RowError

NO_CODE, TOO_LONG, TIMEOUT = "no_code", "too_long", "timeout"

MAX_CODE = 100_000
"""Characters of a program and of its tests."""
_LANGUAGES = ("", "python", "python3", "py")
_REMEDY = "write Python with assert statements, for example assert add(1, 2) == 3"


class Task(NamedTuple):
    """A row that was found good."""

    tests: str
    entry_point: str
    """The function that the tests' `check` is called with; empty where they do without."""


class Code:
    """A completion is right if the program in it passes all of the row's tests.

    **Row.** `tests`: Python source as a string, or a list of strings that are put together with line ends (MBPP's `test_list`).
    The option `tests` stands in for rows without them. `entry_point`, optional: the name of a function; the tests then define
    `check(candidate)`, which is called with it (HumanEval). At most 100,000 characters.

    **Where the program is.** The last fenced code block that is marked `python`, `python3`, `py` or not marked; without one,
    the whole completion. At most 100,000 characters. A fence that is never closed begins no block.

    **How it is run.** The program is imported, under the name `answer`, in a locked-down child process; the tests run in
    another one. What the tests take from the program are proxies: each call is a message, and what comes back is plain data
    (numbers, text, bytes, None, lists, tuples, sets, dictionaries, up to 4 MB) or a proxy for an object, whose methods can be
    called, whose attributes can be read and set, and that can be iterated. So a program can neither read the tests, nor
    change them, nor report that they passed: an object that calls itself equal to everything is wrong. What a call changes in
    the containers that a test passed is changed in the test. Names of Python's own builtins and modules are always the real
    ones.

    **What a program may import.** The modules that are loaded beforehand: most of what computes in the standard library
    (`collections`, `itertools`, `functools`, `math`, `re`, `heapq`, `bisect`, `decimal`, `datetime`, `dataclasses`, `typing`,
    `json`, `random`, `string`, ...). Nothing else: no numpy, no files, no network, no threads, no sleeping.

    **Limits.** `cpuSeconds` of a processor for program and tests together, `memoryMegabytes` for each; a program that waits
    for what never comes ends after 5 seconds. Both processes end with the verdict and are never used again.

    **Lockdown.** Before it sees the program a child gives up, for good, all system calls but some thirty (seccomp), all files
    and TCP (Landlock, where the kernel has it), its environment, and every file descriptor but its pipes; `setrlimit` bounds
    the rest. No privilege is needed: the same holds on a laptop and in a pod under the restricted Pod Security Standard.
    Where the kernel has no seccomp the verifier refuses to run. **Not covered:** a defect of the kernel in one of the calls
    that are left; side channels such as timing; the load that programs put on the machine within their limits. For more, run
    the pods with a sandboxed runtime class (gVisor, Kata Containers) through `spec.pods`.

    **What tests cannot do.** Hand a function or another object of their own to the program, or ask `isinstance` about the
    program's classes. Tests that do the first stop the run: the row is wrong.

    **Source.** The tests of the row, as MBPP and HumanEval use them.
    """

    name = "code"
    version = 1
    meanings: ClassVar[Mapping[str, str]] = {
        CORRECT: "All tests pass.",
        NO_CODE: "The completion, or its last fenced block, is empty or only white space.",
        TOO_LONG: f"The program has more than {MAX_CODE:,} characters.",
        code_judge.SYNTAX_ERROR: "It is not Python.",
        code_judge.RUNTIME_ERROR: "It raises an exception, when it is imported or when a test calls it.",
        code_judge.MISSING_NAME: "It does not define what the tests use.",
        code_judge.WRONG_ANSWER: "A test fails.",
        TIMEOUT: "It takes too long.",
        code_judge.OUT_OF_MEMORY: "It takes too much memory.",
        code_judge.CRASHED: "Its process ends, or writes nonsense where its answers should be.",
    }
    reasons = tuple(meanings)
    required_columns: tuple[str, ...] = ("tests",)

    def __init__(self, options: CodeOptions | None = None) -> None:
        """Raises `InvalidVerifier` where the option `tests` is not Python."""
        self.options = options or CodeOptions()
        self._cells = Cells(f"{__package__}.code_cell", self.options.memory_megabytes * 1024**2)
        self._allowance = Allowance.of(self.options.cpu_seconds)
        if self.options.tests is not None:
            self.required_columns = ()
            try:
                self._task({"tests": self.options.tests})
            except RowError as error:
                raise InvalidVerifier("options.tests", error.problem, error.remedy) from error

    def check_row(self, row: Row) -> None:
        """Raise `RowError` unless the row or the options have tests that are Python."""
        self._task(row)

    def gold(self, _row: Row, /) -> str | None:
        """None: a row holds tests and no program."""
        return None

    def shares(self, row: Row, other: Row, /) -> bool:
        """Where the tests are the same: a program that passes the tests of other questions shows that they test too little."""
        return self._task(row) == self._task(other)

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order.

        Raises:
            RowError: the tests of a row hand the program something that cannot reach it.
            CannotConfine: no child can be locked down on this machine.
        """
        tasks = [self._task(item.row) for item in items]
        lanes = max(1, min(available_cpus(), len(items)))
        with ThreadPoolExecutor(lanes) as pool:
            reasons = list(pool.map(self._judge, (item.completion for item in items), tasks))
        return [
            Verdict(id=item.id, correct=reason == CORRECT, reason=reason)
            for item, reason in zip(items, reasons, strict=True)
        ]

    def _judge(self, completion: str, task: Task) -> str:
        program = _program(completion)
        if not program.strip():
            return NO_CODE
        if len(program) > MAX_CODE:
            return TOO_LONG
        job = {"code": program, "tests": task.tests, "entryPoint": task.entry_point}
        word = self._run(json.dumps(job).encode())
        if word.startswith(code_judge.BAD_TESTS):
            raise RowError("tests", word.partition(": ")[2], "give the program plain data only")
        return word

    def _run(self, job: bytes) -> str:
        """Two fresh children: the program's with two pipes to the tests', the tests' with two more to here."""
        with ExitStack() as stack:
            answer_in, to_answer = os.pipe()
            from_answer, answer_out = os.pipe()
            answer = self._cells.spawn("answer", [answer_in, answer_out], self._life())
            stack.callback(answer.end)
            jobs, writer = os.pipe()
            reader, verdicts = os.pipe()
            for ours in (writer, reader):
                stack.callback(os.close, ours)
                os.set_blocking(ours, False)
            judge = self._cells.spawn("judge", [jobs, verdicts, from_answer, to_answer], self._life())
            stack.callback(judge.end)
            try:
                word = json.loads(ask([judge, answer], writer, job, reader, self._allowance))
            except Refused as refused:
                return TIMEOUT if refused.late else code_judge.OUT_OF_MEMORY
            return str(word)

    def _life(self) -> int:
        """Seconds of processor time after which the kernel ends a child, should nobody here look."""
        return self.options.cpu_seconds + 5

    def _task(self, row: Row) -> Task:
        """The tests for a row.

        Raises:
            RowError: there are none, or they are not Python.
        """
        tests = (
            self.options.tests
            if row.get("tests") is None and self.options.tests
            else column(row, "tests", self.name)
        )
        if isinstance(tests, list) and all(isinstance(line, str) for line in tests):
            tests = "\n".join(tests)
        if not isinstance(tests, str):
            raise RowError("tests", f"tests is {kind(tests)}: {shown(tests)}", _REMEDY)
        if not tests.strip() or len(tests) > MAX_CODE:
            raise RowError("tests", f"tests has {len(tests):,} characters", f"give 1 to {MAX_CODE:,}")
        try:
            tree = ast.parse(tests)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise RowError("tests", f"tests are not Python: {error}", _REMEDY) from error
        entry_point = row.get("entry_point") or ""
        if not isinstance(entry_point, str):
            raise RowError(
                "entry_point", f"entry_point is {kind(entry_point)}: {shown(entry_point)}", "write a name"
            )
        has_check = any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)
        if entry_point and not has_check:
            raise RowError(
                "tests", "tests do not define check(candidate)", "define it, or leave entry_point out"
            )
        return Task(tests, entry_point)


def _program(completion: str) -> str:
    program = completion
    for block in fenced_blocks(completion):
        if block.language in _LANGUAGES:
            program = block.text
    return program
