"""Which groups a step learns from: all, the live ones, or live ones drawn until the step is full; every process in step."""

from __future__ import annotations

from collections import defaultdict
from threading import Barrier, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_trainer.train.deck import Deck
from reflection_trainer.train.groups import REFILL_ROUNDS, BatchShape, GroupSource, is_dead
from reflection_trainer.train.meter import Meter
from reflection_trainer.train.reflect_retry import Failure, Sample, Trial

from .contexts import training as training_settings

SAMPLE = Sample([1], [2], "", True)


class Table:
    def take(self, numbers):
        return [Failure(str(number), [], {}) for number in numbers]


class Steps:
    """Groups of two whose fate is the failure's: the numbers in `dead` are dead."""

    def __init__(self, dead):
        self.dead = dead
        self.calls: list[list[str]] = []
        self.accompanied = 0

    def accompany(self, failure, generator):
        self.accompanied += 1

    def run(self, failures, generator):
        self.calls.append([failure.id for failure in failures])
        return [
            Trial(failure, SAMPLE, [SAMPLE], 0.0 if int(failure.id) in self.dead else float(row % 2))
            for row, failure in enumerate(failures)
        ]


def source(dead, mode, *, groups=4, unit=1, failures=100, process=0, everywhere=lambda number: [number]):
    steps, deck, meter = Steps(dead), Deck(failures, seed=0), Meter()
    shape = BatchShape(groups, 2, unit)
    made = GroupSource(
        Table(), deck, steps, shape=shape, dead=mode, meter=meter, process=process, everywhere=everywhere
    )
    return made, steps, deck, meter


def together(count, make):
    """`count` processes, played by threads; what each of them makes of its step."""
    barrier, told = Barrier(count, timeout=30), defaultdict(dict)
    results = [None] * count

    def run(process):
        calls = iter(range(1000))

        def everywhere(number):
            call = next(calls)
            told[call][process] = number
            barrier.wait()
            return [told[call][other] for other in range(count)]

        results[process] = make(process, everywhere)

    threads = [Thread(target=run, args=(process,), daemon=True) for process in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(result is not None for result in results)
    return results


def ids(batch):
    return [group[0].failure.id for group in batch.groups]


first_four = [str(number) for number in Deck(100, seed=0).draw([4], 0)]


def test_kept_dead_groups_stay_where_they_are():
    made, steps, deck, _ = source({int(first_four[1])}, "keep")
    batch = made.take(None)
    assert ids(batch) == first_four
    assert batch.learns == [True] * 4
    assert len(steps.calls) == 1
    assert deck.position == 4


def test_dropped_ones_are_gone():
    made, _, deck, _ = source({int(first_four[1])}, "drop")
    batch = made.take(None)
    assert ids(batch) == [first_four[0], *first_four[2:]]
    assert batch.learns == [True] * 3
    assert deck.position == 4


def test_a_micro_batch_is_filled_up_with_what_is_not_learned_from():
    made, *_ = source({int(first_four[1])}, "drop", unit=2)
    batch = made.take(None)
    assert ids(batch) == [first_four[0], *first_four[2:], first_four[1]]
    assert batch.learns == [True, True, True, False]


def test_where_all_are_dead_there_is_something_to_pass_through_the_model_all_the_same():
    made, *_ = source(set(range(100)), "drop", unit=2)
    assert made.take(None).learns == [False, False]


def test_refilled_places_hold_the_next_failures():
    made, steps, deck, meter = source({int(first_four[1]), int(first_four[3])}, "refill")
    batch = made.take(None)
    fifth, sixth = Deck(100, seed=0).draw([6], 0)[4:]
    assert ids(batch) == [first_four[0], str(fifth), first_four[2], str(sixth)]
    assert all(batch.learns)
    assert [len(call) for call in steps.calls] == [8, 4]
    assert deck.position == 6
    counts = meter.finish_step()
    assert (counts.groups, counts.dead, counts.all_wrong) == (6, 2, 2)


def test_refilling_is_given_up_after_some_rounds():
    made, steps, deck, _ = source(set(range(100)), "refill")
    assert not any(made.take(None).learns)
    assert len(steps.calls) == 1 + REFILL_ROUNDS
    assert deck.position == 4 * (1 + REFILL_ROUNDS)


@settings(deadline=None, max_examples=40)
@given(
    dead=st.sets(st.integers(0, 19)),
    mode=st.sampled_from(["keep", "drop", "refill"]),
    unit=st.sampled_from([1, 2, 4]),
    steps=st.integers(1, 3),
)
def test_processes_stay_in_step(dead, mode, unit, steps):
    def make(process, everywhere):
        made, model, deck, meter = source(
            dead, mode, unit=unit, failures=20, process=process, everywhere=everywhere
        )
        return [made.take(None) for _ in range(steps)], model, deck.position, meter.finish_step()

    found = together(2, make)
    batches = [found[0][0], found[1][0]]
    for one, other in zip(*batches, strict=True):
        assert len(one.groups) == len(other.groups), "TRL gathers rows of equal numbers"
        assert len(one.groups) % unit == 0
    assert found[0][2] == found[1][2], "their next draws would overlap"
    sampled = [len(model.calls) + model.accompanied for _, model, *_ in found]
    assert sampled[0] == sampled[1], "one would wait in a collective call for ever"
    for batch in [*batches[0], *batches[1]]:
        alive = [not is_dead(group) for group in batch.groups]
        assert batch.learns == (alive if mode != "keep" else [True] * len(alive))
    drawn = found[0][3].groups + found[1][3].groups
    assert drawn == found[0][2], "a failure was drawn that nobody sampled"
    rows = sum(len(call) for _, model, *_ in found for call in model.calls)
    assert rows == 2 * drawn, "a row was judged and counted that is in no group"


@pytest.mark.parametrize(
    ("training", "unit"),
    [
        ({"microBatchSize": 8}, 1),
        ({"microBatchSize": 4}, 1),
        ({"microBatchSize": 16}, 2),
        ({"microBatchSize": 32}, 4),
        ({"microBatchSize": 32, "method": {"creditScope": "reflectionAndRetry"}}, 2),
        ({"method": {"numGenerations": 6}, "microBatchSize": 4}, 2),
    ],
)
def test_groups_come_in_whole_micro_batches(training, unit):
    shape = BatchShape.of(training_settings(failuresPerStep=4, **training))
    assert (shape.groups, shape.unit) == (4, unit)
