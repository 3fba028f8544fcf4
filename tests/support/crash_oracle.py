"""What is left of a run when it is over, and whether that is what a run without faults leaves."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from .audit import done, of_operators
from .cluster import Cluster

NOTHING: Counter[str] = Counter()
CLEANED_TWICE = Counter({"create jobs": 1, "delete jobs": 1})
"""Once its Job is gone, nobody can know that the artefacts are, too: then they are deleted once more."""
_OF_NO_ACCOUNT = ("events", "leases", "tokenreviews")


@dataclass(frozen=True)
class Account:
    """What is left of a run. Two runs that went the same way have equal ones."""

    jobs: tuple[str, ...]
    """Round, stage and attempt of each."""
    conditions: frozenset[tuple[str, str, str]]
    phase: str
    restarts: int
    attempts: tuple[tuple[str, str, bool], ...]
    figures: str
    """Headline figures, progress, dataset and evaluation, as JSON."""


@dataclass
class Outcome:
    """How a case ended."""

    namespace: str
    account: Account
    endings: list[str]
    """Values that the condition Succeeded has had."""
    ends: list[str]
    """What the conditions of its end, with their words and times, and its time have been, from the first on."""
    events: Counter[str]
    writes: list[str]
    """Method and target of each request that changes something but the Lease, as they came in."""
    after_the_end: list[str]
    """Those that came when all was over."""
    starts: int
    struck: bool | None
    """Whether its fault came to pass; None where none was to."""
    told_before: int = 0
    """Writes before the journey's part that is of interest began."""


GONE = Account((), frozenset(), "gone", 0, (), "")
"""What is left of a run that was deleted."""


def successes(cluster: Cluster) -> dict[str, Counter[str]]:
    """What the operator of each namespace created and deleted with success."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for namespace, entry in of_operators(cluster):
        counted = entry["verb"] in ("create", "delete", "deletecollection")
        if counted and done(entry) and entry["objectRef"]["resource"] not in _OF_NO_ACCOUNT:
            found[namespace][done(entry)] += 1
    return found


def differences(
    cluster: Cluster,
    calm: Outcome,
    outcomes: list[Outcome],
    *,
    starts: int | None,
    repeatable: Counter[str] = NOTHING,
) -> list[str]:
    """Where a run with a fault went another way than one without, in words; empty where none did.

    `starts`: how often the operator of a run whose fault has struck was started; None: as often as it likes.
    `repeatable` is what may have been created and deleted once more.
    """
    created = successes(cluster)
    assert created[calm.namespace], "the audit log does not reach back to the run without faults"
    found = []
    for write, each in enumerate(outcomes, start=calm.told_before):
        wrong = {
            "account": each.account != calm.account and f"{each.account} instead of {calm.account}",
            "created": created[each.namespace]
            not in (created[calm.namespace], created[calm.namespace] + repeatable)
            and f"{created[each.namespace]} instead of {created[calm.namespace]}",
            "Succeeded": each.endings != calm.endings and each.endings,
            # Times differ from run to run; within one they stay, and so does every word.
            "end": len(each.ends) != len(calm.ends) and each.ends,
            # One that was about to be posted when the operator died is lost, and only then; none is told twice.
            "events": each.events - calm.events
            or (starts == 1 and calm.events - each.events and f"{calm.events - each.events} are missing"),
            "writes after the end": each.after_the_end,
            "starts": starts is not None
            and each.starts != (1 if each.struck is False else starts)
            and each.starts,
            # A run may need some writes fewer, where two changes of its status are seen as one.
            "fault": each.struck is False and write < len(each.writes) and "it never struck",
        }
        place = calm.writes[write] if write < len(calm.writes) else "?"
        found += [
            f"{each.namespace}, write {write} ({place}): {what}: {how}" for what, how in wrong.items() if how
        ]
    return found
