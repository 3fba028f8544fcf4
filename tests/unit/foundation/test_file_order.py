"""The order of the files that tests are taken from."""

from __future__ import annotations

from pathlib import Path

from ...support.file_order import turns


def paths(room: str, count: int) -> list[Path]:
    return [Path(f"integration/{room}/test_{number}.py") for number in range(count)]


def test_what_is_built_meanwhile_comes_from_a_third_on_in_turn_with_the_rest() -> None:
    files = paths("local", 6) + paths("operator", 2) + paths("train", 3)
    places = turns(files)
    order = sorted(files, key=places.__getitem__)
    assert [file.parts[1][0] for file in order] == list("lllolllottt")
    assert [file for file in order if file.parts[1] == "local"] == paths("local", 6)


def test_a_room_alone_keeps_its_order() -> None:
    for room in ("operator", "train"):
        files = paths(room, 3)
        assert sorted(files, key=turns(files).__getitem__) == files
    assert turns([]) == {}
