"""The order of the files that tests are taken from."""

from __future__ import annotations

import random
from pathlib import Path

from ...support.file_order import turns


def paths(room: str, count: int) -> list[Path]:
    return [Path(f"{room}/test_{number}.py") for number in range(count)]


LOCAL, TRAIN = paths("integration/local", 6), paths("integration/train", 3)
OPERATOR, CLUSTER = paths("integration/operator", 2), paths("cluster", 2)


def test_what_is_built_meanwhile_comes_from_a_third_on_in_turn_with_the_rest() -> None:
    files = LOCAL + OPERATOR + TRAIN
    order = sorted(files, key=turns(files).__getitem__)
    assert order == LOCAL[:3] + OPERATOR[:1] + LOCAL[3:] + OPERATOR[1:] + TRAIN


def test_the_cluster_is_first_of_what_is_built_meanwhile() -> None:
    files = CLUSTER + LOCAL + OPERATOR
    order = sorted(files, key=turns(files).__getitem__)
    assert [file for file in order if file not in LOCAL] == CLUSTER + OPERATOR
    files = LOCAL + OPERATOR + CLUSTER
    order = sorted(files, key=turns(files).__getitem__)
    assert [file for file in order if file not in LOCAL] == CLUSTER + OPERATOR


def test_a_room_alone_keeps_its_order() -> None:
    for room in ("integration/operator", "integration/train"):
        files = paths(room, 3)
        assert sorted(files, key=turns(files).__getitem__) == files
    assert turns([]) == {}


def test_no_file_is_lost_or_taken_before_one_of_its_kind() -> None:
    files = random.Random(0).sample(LOCAL + OPERATOR + TRAIN, 11)
    order = sorted(files, key=turns(files).__getitem__)
    assert set(order) == set(files)
    computing = set(LOCAL + TRAIN)
    assert [file for file in order if file in computing] == [file for file in files if file in computing]
