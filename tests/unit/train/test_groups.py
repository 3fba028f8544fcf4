"""Which groups a step learns from: all, the live ones, or live ones drawn until the step is full; every process in step."""

from __future__ import annotations

import math
from collections import defaultdict
from random import Random
from threading import Barrier, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_trainer.train.deck import Deck
from reflection_trainer.train.groups import REFILL_ROUNDS, BatchShape, GroupSource
from reflection_trainer.train.meter import Meter
from reflection_trainer.train.pool import Processes
from reflection_trainer.train.reflect_retry import Failure, Sample, Trial

from .contexts import training as training_settings

SIZE = 2
"""Reflections of a group."""


class Table:
    def take(self, numbers):
        return [Failure(str(number), [], {}) for number in numbers]


def trial(failure, reward, mark):
    """A trial whose texts say of which failure it is."""
    reflection, retry = (Sample([int(failure.id)], [mark, text], "", True) for text in (0, 1))
    return Trial(failure, reflection, [retry], reward)


class Steps:
    """Earns nothing for the failures in `dead`; for others every other reflection earns all, or what chance says."""

    def __init__(self, dead, chance=None, process=0):
        self.dead, self.chance, self.process = dead, chance, process
        self.calls: list[list[Trial]] = []
        """What was sampled each time; nothing where it only kept others company."""

    def accompany(self, failure, generator):
        self.calls.append([])

    def run(self, failures, generator):
        def reward(row, failure):
            if int(failure.id) in self.dead:
                return 0.0
            return float(self.chance.random() < 0.5 if self.chance else row % 2)

        first = 1000 * len(self.calls) + 100 * self.process
        self.calls.append([trial(each, reward(row, each), first + row) for row, each in enumerate(failures)])
        return self.calls[-1]


class Replay:
    """One process that says all that several have said."""

    def __init__(self, rounds):
        self.rounds = iter(rounds)

    def run(self, failures, generator):
        trials = [each for part in next(self.rounds) for each in part]
        assert [each.failure for each in trials] == list(failures), (
            "others were sampled than one process draws"
        )
        return trials


ALONE = Processes(0, 1, lambda value: [value])


def source(steps, mode, *, groups=4, unit=1, texts=1, failures=100, processes=ALONE):
    deck, meter = Deck(failures, seed=0), Meter()
    shape = BatchShape(groups, SIZE, texts, unit)
    made = GroupSource(Table(), deck, steps, shape=shape, dead=mode, meter=meter, processes=processes)
    return made, deck, meter


def together(count, make):
    """`count` processes, played by threads; what each of them makes of its step."""
    barrier, told = Barrier(count, timeout=30), defaultdict(dict)
    results = [None] * count

    def run(process):
        calls = iter(range(1000))

        def gather(value):
            call = next(calls)
            told[call][process] = value
            barrier.wait()
            return [told[call][other] for other in range(count)]

        results[process] = make(Processes(process, count, gather))

    threads = [Thread(target=run, args=(process,), daemon=True) for process in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(result is not None for result in results)
    return results


def ids(rows):
    """The failures of the groups, in the order of the rows."""
    assert all(row.sample.prompt_ids == rows[at - at % SIZE].sample.prompt_ids for at, row in enumerate(rows))
    return [str(row.sample.prompt_ids[0]) for row in rows[::SIZE]]


def learns(rows):
    return [row.learns for row in rows[::SIZE]]


first_four = [str(number) for number in Deck(100, seed=0).draw(4)]


def test_kept_dead_groups_stay_where_they_are():
    steps = Steps({int(first_four[1])})
    made, deck, _ = source(steps, "keep")
    rows = made.take(None)
    assert ids(rows) == first_four
    assert learns(rows) == [True] * 4
    assert [row.reward for row in rows] == [0, 1, 0, 0, 0, 1, 0, 1]
    assert len(steps.calls) == 1
    assert deck.position == 4


def test_dropped_ones_are_gone():
    made, deck, _ = source(Steps({int(first_four[1])}), "drop")
    rows = made.take(None)
    assert ids(rows) == [first_four[0], *first_four[2:]]
    assert learns(rows) == [True] * 3
    assert deck.position == 4


def test_a_micro_batch_is_filled_up_with_what_is_not_learned_from():
    made, *_ = source(Steps({int(first_four[1])}), "drop", unit=2)
    rows = made.take(None)
    assert ids(rows) == [first_four[0], *first_four[2:], first_four[1]]
    assert learns(rows) == [True, True, True, False]
    assert [math.isnan(row.reward) for row in rows] == [False] * 6 + [True] * 2


def test_where_all_are_dead_there_is_something_to_pass_through_the_model_all_the_same():
    made, *_ = source(Steps(set(range(100))), "drop", unit=2)
    assert learns(made.take(None)) == [False, False]


def test_refilled_places_hold_the_next_failures():
    steps = Steps({int(first_four[1]), int(first_four[3])})
    made, deck, meter = source(steps, "refill")
    rows = made.take(None)
    fifth, sixth = Deck(100, seed=0).draw(6)[4:]
    assert ids(rows) == [first_four[0], str(fifth), first_four[2], str(sixth)]
    assert all(learns(rows))
    assert [len(call) for call in steps.calls] == [8, 4]
    assert deck.position == 6
    counts = meter.finish_step()
    assert (counts.groups, counts.dead, counts.all_wrong) == (6, 2, 2)


def test_refilling_is_given_up_after_some_rounds():
    steps = Steps(set(range(100)))
    made, deck, _ = source(steps, "refill")
    assert not any(learns(made.take(None)))
    assert len(steps.calls) == 1 + REFILL_ROUNDS
    assert deck.position == 4 * (1 + REFILL_ROUNDS)


def test_the_retries_of_a_group_follow_its_reflections():
    made, *_ = source(Steps(set()), "keep", groups=2, texts=2)
    assert [row.sample.token_ids for row in made.take(None)] == [
        [mark, text] for group in (0, SIZE) for text in (0, 1) for mark in range(group, group + SIZE)
    ]


@settings(deadline=None, max_examples=60)
@given(
    dead=st.sets(st.integers(0, 19)),
    mode=st.sampled_from(["keep", "drop", "refill"]),
    texts=st.sampled_from([1, 2]),
    # Of so many processes and groups of two reflections each gets whole groups, or one in two of them is split.
    split=st.sampled_from([(2, 4), (2, 3), (3, 3), (4, 2), (6, 3)]),
    steps=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_several_processes_do_what_one_would_do_with_the_same_texts(dead, mode, texts, split, steps, seed):
    count, groups = split
    unit = count // math.gcd(count, SIZE * texts)

    def make(processes):
        model = Steps(dead, Random(f"{seed} {processes.index}"), processes.index)
        made, deck, meter = source(
            model, mode, groups=groups, unit=unit, texts=texts, failures=20, processes=processes
        )
        return [made.take(None) for _ in range(steps)], model.calls, deck.position, meter.finish_step()

    taken, calls, positions, counts = zip(*together(count, make), strict=True)
    assert len({len(each) for each in calls}) == 1, "one would wait in a collective call for ever"
    replayed, deck, meter = source(
        Replay(zip(*calls, strict=True)), mode, groups=groups, unit=unit, texts=texts, failures=20
    )
    for step in range(steps):
        parts = [each[step] for each in taken]
        assert len(set(map(len, parts))) == 1, "TRL gathers rows of equal numbers"
        expected = replayed.take(None)
        assert repr([row for part in parts for row in part]) == repr(expected)
    assert set(positions) == {deck.position}, "their next draws would overlap"
    assert [sum(column) for column in zip(*(each.to_list() for each in counts), strict=True)][:8] == (
        meter.finish_step().to_list()[:8]
    )


def sent_by_two(dead, mode):
    """What each of two processes tells the other in a step of four groups: rewards, then the texts by their names."""

    def make(processes):
        sent = []

        def gather(value):
            sent.append(sorted(value) if isinstance(value, dict) else value)
            return processes.gather(value)

        steps = Steps(dead, process=processes.index)
        made, *_ = source(steps, mode, processes=Processes(processes.index, processes.count, gather))
        made.take(None)
        return sent

    return together(2, make)


def test_of_groups_that_stay_where_they_were_sampled_rewards_alone_are_sent():
    assert sent_by_two(set(), "keep") == [[[0.0, 1.0, 0.0, 1.0]]] * 2


def test_only_what_another_process_trains_is_sent():
    """The first group is dead: the first process gets half of the third in its place."""
    dead = {int(first_four[0])}
    third = [(4, 0)]
    assert sent_by_two(dead, "drop") == [[[0.0, 0.0, 0.0, 1.0], []], [[0.0, 1.0, 0.0, 1.0], third]]


@pytest.mark.parametrize(
    ("training", "unit"),
    [
        ({"microBatchSize": 8}, 1),
        ({"microBatchSize": 4}, 1),
        ({"microBatchSize": 16}, 2),
        ({"microBatchSize": 32}, 4),
        ({"microBatchSize": 32, "method": {"creditScope": "reflectionAndRetry"}}, 2),
        ({"method": {"numGenerations": 6}, "microBatchSize": 4}, 2),
        ({"processesPerNode": 2, "microBatchSize": 8}, 2),
        ({"processesPerNode": 8, "microBatchSize": 1}, 1),
        ({"processesPerNode": 16, "microBatchSize": 2}, 4),
    ],
)
def test_groups_come_in_whole_micro_batches(training, unit):
    shape = BatchShape.of(training_settings(failuresPerStep=4, **training))
    assert (shape.groups, shape.unit) == (4, unit)
