"""JSON Schema: the completion is JSON that conforms to a schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reflection_api.items import Item, Verdict
from reflection_api.verifiers import InvalidVerifier, JsonSchemaOptions

from ..confine.batch import BROKEN, LATE, Batch
from .answers import fenced_blocks
from .json_text import MAX_CHARACTERS, NotJson, canonical, read_json
from .rows import column, kind, shown
from .schemas import BadSchema, compiled
from .verifier import CORRECT, Row, RowError

NO_ANSWER = "no_answer"
INVALID_JSON = "invalid_json"
SCHEMA_MISMATCH = "schema_mismatch"
TOO_LONG = "too_long"
TOO_COMPLEX = "too_complex"

_REMEDY = "write a JSON Schema of draft 2020-12 that refers to nothing outside of itself"


class JsonSchema:
    """A completion is right if the JSON in it conforms to the schema.

    **Row.** `schema`: a JSON Schema as an object, or as a string that holds it, of at most 100,000 characters. The option
    `schema` stands in for rows without one. References lead within the schema (`#/$defs/...`): nothing is ever fetched.

    **Where the JSON is.** The last fenced code block that is marked `json` or not marked at all; without one, the whole
    completion. It must be one JSON value and nothing else; prose around it needs the fence. A fence that is never closed (a
    completion that was cut off) begins no block.

    **What JSON is.** RFC 8259 and stricter: no `NaN` and no infinities, no number that a double cannot hold, no object with one
    name twice, at most 32 levels and 100,000 characters.

    **Conforms.** By draft 2020-12 as the Python package jsonschema implements it. `format` is a note and checks nothing, which
    is the draft's default. `pattern` is a Python regular expression, searched for anywhere in the string.

    **Bounds.** Each answer is checked in a locked-down child process that may use 1 second of a processor: patterns that
    backtrack and schemas that branch and refer to themselves end as `too_complex`.

    **Source.** JSON Schema draft 2020-12.
    """

    name = "json_schema"
    version = 1
    meanings: ClassVar[Mapping[str, str]] = {
        CORRECT: "The JSON conforms to the schema.",
        NO_ANSWER: "The completion, or its last fenced block, is empty or only white space.",
        INVALID_JSON: "What is there is not one JSON value.",
        SCHEMA_MISMATCH: "It is JSON and does not conform to the schema.",
        TOO_LONG: f"What should be JSON has more than {MAX_CHARACTERS:,} characters.",
        TOO_COMPLEX: "Checking it took more than 1 second of a processor, or more memory than it may have.",
    }
    reasons = tuple(meanings)
    required_columns: tuple[str, ...] = ("schema",)

    def __init__(self, options: JsonSchemaOptions | None = None) -> None:
        """Raises `InvalidVerifier` where the option `schema` is no schema."""
        self.options = options or JsonSchemaOptions()
        self._batch = Batch(f"{__package__}.json_schema_cell")
        self._default: str | None = None
        if self.options.json_schema is not None:
            self.required_columns = ()
            try:
                self._default = _text_of(self.options.json_schema)
            except BadSchema as error:
                raise InvalidVerifier("options.schema", str(error), _REMEDY) from error

    def check_row(self, row: Row) -> None:
        """Raise `RowError` unless the row or the options have a schema."""
        self._schema(row)

    def gold(self, _row: Row, /) -> str | None:
        """None: a row holds a schema and nothing that conforms to it."""
        return None

    def shares(self, _row: Row, _other: Row, /) -> bool:
        """Always: many schemas allow a value, and only validation would tell which."""
        return True

    def verify(self, items: Sequence[Item]) -> list[Verdict]:
        """One verdict per item, in order."""
        schemas = [self._schema(item.row) for item in items]
        found = [_read(item.completion) for item in items]
        asked = [index for index, (_, fault) in enumerate(found) if not fault]
        answers = self._batch.ask([[schemas[index], found[index][0]] for index in asked])
        reasons = [fault for _, fault in found]
        for index, answer in zip(asked, answers, strict=True):
            reasons[index] = TOO_COMPLEX if answer in (LATE, BROKEN) else answer
        return [
            Verdict(id=item.id, correct=reason == CORRECT, reason=reason)
            for item, reason in zip(items, reasons, strict=True)
        ]

    def _schema(self, row: Row) -> str:
        """The canonical text of the schema for a row.

        Raises:
            RowError: there is none, or it is no schema.
        """
        if row.get("schema") is None and self._default is not None:
            return self._default
        schema = column(row, "schema", self.name)
        if not isinstance(schema, str | dict | bool):
            raise RowError("schema", f"schema is {kind(schema)}: {shown(schema)}", _REMEDY)
        try:
            return _text_of(schema)
        except BadSchema as error:
            raise RowError("schema", f"schema cannot be used: {error}", _REMEDY) from error


def _text_of(schema: Any) -> str:
    """The canonical text of a schema.

    Raises:
        BadSchema: it is none.
    """
    if isinstance(schema, str):
        try:
            schema = read_json(schema)
        except NotJson as error:
            raise BadSchema(f"it is not JSON: {error}") from error
    text = canonical(schema)
    compiled(text)
    return text


def _read(completion: str) -> tuple[Any, str]:
    """The JSON value of a completion, or the reason why there is none."""
    text = completion
    for block in fenced_blocks(completion):
        if block.language in ("", "json"):
            text = block.text
    text = text.strip()
    if not text:
        return None, NO_ANSWER
    if len(text) > MAX_CHARACTERS:
        return None, TOO_LONG
    try:
        return read_json(text), ""
    except NotJson:
        return None, INVALID_JSON
