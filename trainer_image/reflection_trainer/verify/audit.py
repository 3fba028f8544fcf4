"""The audit of a verifier, before anything is learnt from its verdicts.

A sample of the answers is judged twice: a verifier that says different things teaches chance. Right answers, where the rows
hold them, must pass, and canaries must fail.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reflection_api.items import Item, Verdict
from reflection_api.reasons import Reason
from reflection_api.status import AuditStatus

from ..errors import BadData
from .canaries import canaries
from .gold import gold_of
from .verifier import Verifier

if TYPE_CHECKING:
    from reflection_api.spec import AuditSpec

Judge = Callable[[Sequence[Item]], list[Verdict]]

_FIELD = "spec.task.verifier.audit"


class Unsound(BadData):
    """The verifier failed its audit."""

    def __init__(self, message: str, audit: AuditStatus) -> None:
        super().__init__(message, reason=Reason.VERIFIER_UNSOUND)
        self.audit = audit


def audit(verifier: Verifier, judge: Judge, sample: Sequence[Item], limits: AuditSpec) -> AuditStatus:
    """Put the verifier to the test.

    Args:
        verifier: knows the right answers of rows that hold them.
        judge: its verdicts, asked for anew each time.
        sample: answers of the model, with distinct ids.
        limits: what may go wrong.

    Raises:
        Unsound: more than that went wrong; the message names one case of it.
    """
    right = _right_answers(verifier, sample)
    wrong = canaries(sample, verifier)
    first, again = judge(sample), judge(sample[::-1])[::-1]
    flaky = [a.id for a, b in zip(first, again, strict=True) if a.correct != b.correct]
    refused = [verdict for verdict in judge(right) if not verdict.correct]
    accepted = [
        canary
        for canary, verdict in zip(wrong, judge([canary.item for canary in wrong]), strict=True)
        if verdict.correct
    ]
    result = AuditStatus(
        sample=len(sample),
        flaky=len(flaky),
        gold=len(right),
        gold_refused=len(refused),
        canaries=len(wrong),
        canaries_accepted=len(accepted),
    )
    faults = []
    if len(flaky) > limits.max_flake_rate * len(sample):
        faults.append(
            f"judged {len(flaky)} of {len(sample)} answers one way and then the other (limit {limits.max_flake_rate:.1%}, "
            f"{_FIELD}.maxFlakeRate), for example {flaky[0]}"
        )
    if refused:
        faults.append(
            f"refused {len(refused)} of {len(right)} answers that the prompts say are right, for example that of "
            f"{refused[0].id.removeprefix(_GOLD)} as {refused[0].reason}"
        )
    if len(accepted) > limits.max_canary_accepted:
        kind, count = Counter(canary.kind for canary in accepted).most_common(1)[0]
        faults.append(
            f"accepted {len(accepted)} of {len(wrong)} canary answers that are wrong (limit {limits.max_canary_accepted}, "
            f"{_FIELD}.maxCanaryAccepted), most of them ({count}) {kind}"
        )
    if faults:
        raise Unsound(f"the verifier {'; it '.join(faults)}", result)
    return result


_GOLD = "gold of "


def _right_answers(verifier: Verifier, sample: Sequence[Item]) -> list[Item]:
    """For each different row of the sample that holds one."""
    found: dict[str, Item] = {}
    for item in sample:
        gold = gold_of(verifier, item.row)
        if gold is not None:
            key = json.dumps([item.row, item.messages[-1].content if item.messages else ""], sort_keys=True)
            found.setdefault(key, item.model_copy(update={"id": f"{_GOLD}{item.id}", "completion": gold}))
    return list(found.values())
