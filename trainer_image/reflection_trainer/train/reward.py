"""The reward of a reflection: 1 if the retry that followed it is right, else 0. It sees texts, never the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reflection_api.items import Item, Message

from ..conversation import Turn
from ..verify.leak import leaks
from ..verify.verifier import Verifier
from .meter import Meter
from .reflect_retry import Failure


class RetryReward:
    """Judges retries with the task's verifier.

    A reflection that was cut off earns nothing, whatever its retry says: in use it would be cut off too, and paying for it
    would teach the model to ramble.
    """

    def __init__(self, verifier: Verifier, meter: Meter) -> None:
        self._verifier = verifier
        self._meter = meter

    def score(
        self,
        failures: Sequence[Failure],
        reflections: Sequence[str],
        finished: Sequence[bool],
        retries: Sequence[str],
    ) -> list[float]:
        """One reward per row, 0.0 or 1.0; `finished` says which reflections ended by themselves."""
        with self._meter.phase("verify"):
            verdicts = self._verifier.verify(
                [_item(str(row), failures[row], text) for row, text in enumerate(retries)]
            )
        self._meter.count_leaks(sum(map(leaks, reflections, retries)))
        return [float(verdict.correct and whole) for verdict, whole in zip(verdicts, finished, strict=True)]


def _item(id_: str, failure: Failure, completion: str) -> Item:
    # Built without validation: these are our own values, and there are hundreds of them in every step.
    return Item.model_construct(
        id=id_, messages=[_message(turn) for turn in failure.question], completion=completion, row=failure.row
    )


def _message(turn: Turn) -> Message:
    fields: dict[str, Any] = {"role": turn["role"], "content": turn["content"]}
    return Message.model_construct(**fields)
