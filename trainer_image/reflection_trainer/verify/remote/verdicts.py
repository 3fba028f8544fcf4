"""From the body of an answer to verdicts. The body is somebody else's: everything about it may be wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from reflection_api.items import Item, Verdict
from reflection_api.verifier_service import MAX_REASON, REASON

from ..rows import kind
from ..verifier import CORRECT

_WORD = re.compile(REASON.removesuffix("$") + r"\Z")
_SHOWN = 60
_SHAPE = 'answer {"verdicts": [{"id", "correct", "reason"}]}'


class WrongAnswer(ValueError):
    """The answer is not what was asked for."""

    def __init__(self, problem: str, remedy: str = _SHAPE) -> None:
        super().__init__(f"{problem}; {remedy}")


def read_verdicts(body: bytes, items: Sequence[Item]) -> list[Verdict]:
    """The verdicts of a body, one per item, in the order of the items.

    Raises:
        WrongAnswer: it is anything else; the message names the verdict or the item.
    """
    found: dict[str, Verdict] = {}
    asked = {item.id for item in items}
    for number, entry in enumerate(_entries(body)):
        verdict = _verdict(entry, f"verdict {number + 1}")
        if verdict.id not in asked:
            raise WrongAnswer(
                f"verdict {number + 1} is for {shown(verdict.id)}, which was not asked",
                "give each verdict the id of its item",
            )
        if verdict.id in found:
            raise WrongAnswer(f"there are two verdicts for {shown(verdict.id)}", "give one for each item")
        found[verdict.id] = verdict
    missing = [item.id for item in items if item.id not in found]
    if missing:
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise WrongAnswer(
            f"there is no verdict for {shown(missing[0])}{others}", "give one for each item of the request"
        )
    return [found[item.id] for item in items]


def shown(value: object) -> str:
    """A value as JSON, cut short, on one line."""
    text = json.dumps(value, default=repr)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def excerpt(body: bytes) -> str:
    """The beginning of a body for a message: printable ASCII alone, since it is hostile."""
    text = body[:400].decode("ascii", "replace")
    words = " ".join("".join(letter if " " <= letter < "\x7f" else " " for letter in text).split())
    return words[:120] if words else "nothing"


def _entries(body: bytes) -> list[Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        html = body[:200].lstrip().lower().startswith((b"<!doctype", b"<html"))
        what = "HTML" if html else f"what is not JSON ({excerpt(body)})"
        remedy = "correct the address: a proxy or another service answers there" if html else _SHAPE
        raise WrongAnswer(f"the answer is {what}", remedy) from None
    if not isinstance(document, dict) or not isinstance(document.get("verdicts"), list):
        what = kind(document) if not isinstance(document, dict) else 'without a list "verdicts"'
        raise WrongAnswer(f"the answer is {what}")
    entries: list[Any] = document["verdicts"]
    return entries


def _verdict(entry: Any, where: str) -> Verdict:
    if not isinstance(entry, dict):
        raise WrongAnswer(f"{where} is {kind(entry)}")
    id_, correct, reason = (entry.get(name) for name in ("id", "correct", "reason"))
    if not isinstance(id_, str):
        raise WrongAnswer(
            f"{where} has the id {shown(id_)}, which is no text" if "id" in entry else f"{where} has no id"
        )
    where = f"the verdict for {shown(id_)}"
    if not isinstance(correct, bool):
        raise WrongAnswer(f"{where} says correct: {shown(correct)}", "write true or false")
    if correct:
        return Verdict(id=id_, correct=True, reason=CORRECT)
    if (
        not isinstance(reason, str)
        or len(reason) > MAX_REASON
        or not _WORD.match(reason)
        or reason == CORRECT
    ):
        raise WrongAnswer(
            f"{where} says false for the reason {shown(reason)}",
            f"give a word of at most {MAX_REASON} letters, digits, _, . and -, for example wrong_number",
        )
    return Verdict(id=id_, correct=False, reason=reason)
