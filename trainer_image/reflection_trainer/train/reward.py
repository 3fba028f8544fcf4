"""The reward of a reflection: the share of the retries after it that are right. It sees texts, never the model."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from reflection_api.items import Item, Message

from ..conversation import Turn
from ..verify.leak import leaks
from ..verify.verifier import Verifier
from .meter import Meter

if TYPE_CHECKING:
    from .reflect_retry import Failure, Sample


class RetryReward:
    """Judges retries with the task's verifier.

    A reflection that was cut off earns nothing, whatever its retries say: in use it would be cut off too, and paying for it
    would teach the model to ramble.
    """

    def __init__(self, verifier: Verifier, meter: Meter) -> None:
        self._verifier = verifier
        self._meter = meter

    def score(
        self,
        failures: Sequence[Failure],
        reflections: Sequence[Sample],
        retries: Sequence[Sequence[Sample]],
    ) -> list[float]:
        """One reward per reflection, from 0 to 1; each has as many retries as every other."""
        items = [
            _item(f"{row}/{number}", failures[row], retry.text)
            for row, samples in enumerate(retries)
            for number, retry in enumerate(samples)
        ]
        with self._meter.phase("verify"):
            verdicts = iter(self._verifier.verify(items))
        right = [fmean(float(next(verdicts).correct) for _ in samples) for samples in retries]
        self._meter.count_leaks(
            sum(
                any(leaks(reflection.text, retry.text, self._verifier) for retry in samples)
                for reflection, samples in zip(reflections, retries, strict=True)
            )
        )
        return [share * reflection.finished for share, reflection in zip(right, reflections, strict=True)]


def _item(id_: str, failure: Failure, completion: str) -> Item:
    # Built without validation: these are our own values, and there are hundreds of them in every step.
    return Item.model_construct(
        id=id_, messages=[_message(turn) for turn in failure.question], completion=completion, row=failure.row
    )


def _message(turn: Turn) -> Message:
    fields: dict[str, Any] = {"role": turn["role"], "content": turn["content"]}
    return Message.model_construct(**fields)
