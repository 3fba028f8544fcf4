"""Two writers of one artefact, in every order of their requests: at most one wins, and what is there then is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reflection_api.layout import MANIFEST
from reflection_api.reasons import Reason
from reflection_trainer.errors import CorruptArtifact, DependencyAway
from reflection_trainer.storage import Artifacts, Store
from reflection_trainer.storage.file_store import FileStore
from reflection_trainer.storage.store import ANY

from ...support.writers import race

FILES = ("a", "b", "sub/c")
NAMES = "xyz"
ORDER = st.lists(st.integers(0, 1), max_size=60)
BEFORE = st.sampled_from(["nothing", "data without a manifest", "some data", "a claim", "an artefact"])


def folder(root: Path, name: str, files: tuple[str, ...] = FILES) -> Path:
    """A folder whose every file names its writer."""
    for file in files:
        (root / name / file).parent.mkdir(parents=True, exist_ok=True)
        (root / name / file).write_text(f"{name} {file}")
    return root / name


def prepare(store: FileStore, root: Path, before: str) -> None:
    if before == "an artefact":
        Artifacts(store).put_folder(folder(root, "before", (*FILES, "left")), "model", kind="model")
    elif before == "a claim":
        store.write(f"model/{MANIFEST}", b'{"version":1,"kind":"claim","writer":"dead"}')
        store.write("model/a", b"half")
    elif before != "nothing":
        for file in FILES if before.startswith("data") else ("b",):
            store.write(f"model/{file}", b"half")


def written_by(store: FileStore, root: Path) -> str | None:
    """Whose artefact is there, whole; None where there is none."""
    if Artifacts(store).get_folder("model", root / "copy") is None:
        return None
    texts = {(root / "copy" / file).read_text() for file in FILES}
    (writer,) = {text.split()[0] for text in texts}
    return writer


@settings(max_examples=100)
@given(BEFORE, ORDER)
def test_two_writers_of_a_folder(
    tmp_path_factory: pytest.TempPathFactory, before: str, order: list[int]
) -> None:
    root = tmp_path_factory.mktemp("race")
    store = FileStore((root / "runs").as_uri())
    prepare(store, root, before)
    locals_ = [folder(root, name) for name in "xy"]

    def put(local: Path):
        return lambda ordered: Artifacts(ordered).put_folder(local, "model", kind="model")

    ends = race(store, order, *map(put, locals_))
    for end in ends:
        assert end is None or (isinstance(end, DependencyAway) and end.reason is Reason.STORAGE_CONFLICT), end
    there = written_by(store, root)
    winners = {name for name, end in zip("xy", ends, strict=True) if end is None}
    # Both succeed only where one has ended before the other began; then the artefact is the later one's.
    assert there in winners if winners else there in (None, "before")


@settings(max_examples=60)
@given(st.booleans(), ORDER)
def test_two_writers_of_a_file(
    tmp_path_factory: pytest.TempPathFactory, there: bool, order: list[int]
) -> None:
    root = tmp_path_factory.mktemp("race")
    store = FileStore((root / "runs").as_uri())
    if there:
        store.write("shard", b"half")
    for name in "xy":
        (root / name).write_text(name)
    ends = race(
        store,
        order,
        *(
            (lambda ordered, name=name: Artifacts(ordered).put_file(root / name, "shard", kind="a"))
            for name in "xy"
        ),
    )
    winners = {name for name, end in zip("xy", ends, strict=True) if end is None}
    found = Artifacts(store).get_file("shard", root / "copy")
    assert (found is not None) == bool(winners)
    assert found is None or (root / "copy").read_text() in winners


def test_the_one_who_comes_later_wins_over_one_that_was_cut_off(tmp_path: Path) -> None:
    """A new attempt begins while a pod of the old one still writes."""
    store = FileStore((tmp_path / "runs").as_uri())
    old, new = folder(tmp_path, "old"), folder(tmp_path, "new")
    ends = race(
        store,
        [0, 0, *[1] * 30],
        lambda ordered: Artifacts(ordered).put_folder(old, "model", kind="model"),
        lambda ordered: Artifacts(ordered).put_folder(new, "model", kind="model"),
    )
    assert ends[1] is None
    assert isinstance(ends[0], DependencyAway)
    assert ends[0].message == (
        f"storage: {store.root}/model/b was written by somebody else at the same time: this writer stops. "
        "If the same run is active in another place, end it there"
    )
    assert written_by(store, tmp_path) == "new"


def test_replacing_an_artefact_takes_its_other_files_away(tmp_path: Path) -> None:
    store = FileStore((tmp_path / "runs").as_uri())
    artifacts = Artifacts(store)
    artifacts.put_folder(folder(tmp_path, "first", (*FILES, "more/d")), "model", kind="model")
    artifacts.put_folder(folder(tmp_path, "second"), "model", kind="model")
    assert list(store.list("model")) == [f"model/{name}" for name in ("a", "b", MANIFEST, "sub/c")]


class Dies(Exception):
    pass


@pytest.mark.parametrize("step", range(8))
def test_killed_at_any_step_there_is_the_old_artefact_or_none(tmp_path: Path, step: int) -> None:
    """And the next writer succeeds, whatever is left."""
    store = FileStore((tmp_path / "runs").as_uri())
    Artifacts(store).put_folder(folder(tmp_path, "before"), "model", kind="model")

    class Killed:
        left = step

        def __getattr__(self, name: str):
            value = getattr(store, name)
            if name in ("uri", "root"):
                return value

            def work(*args, **kwargs):
                if self.left == 0:
                    raise Dies
                self.left -= 1
                return value(*args, **kwargs)

            return work

    try:
        Artifacts(Killed()).put_folder(folder(tmp_path, "killed"), "model", kind="model")
    except Dies:
        assert written_by(store, tmp_path) == ("before" if step < 2 else None)
    else:
        assert step >= 6
        assert written_by(store, tmp_path) == "killed"
    Artifacts(store).put_folder(folder(tmp_path, "next"), "model", kind="model")
    assert written_by(store, tmp_path) == "next"


def test_a_claim_is_no_manifest(tmp_path: Path) -> None:
    store = FileStore((tmp_path / "runs").as_uri())
    store.write(f"model/{MANIFEST}", json.dumps({"kind": "claim", "version": 1, "writer": "x"}).encode())
    assert Artifacts(store).manifest_of_folder("model") is None
    store.write(f"model/{MANIFEST}", b"[1]")
    with pytest.raises(CorruptArtifact):
        Artifacts(store).manifest_of_folder("model")


def test_a_storage_that_ignores_conditions_is_found_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileStore((tmp_path / "runs").as_uri())
    Artifacts(store).check_writable("rollout", "0")
    assert caplog.text == ""

    class Ignores(FileStore):
        def write(self, path: str, data: bytes, *, expected: str = ANY) -> str:
            return super().write(path, data)

    careless: Store = Ignores(store.root)
    Artifacts(careless).check_writable("rollout", "0")
    assert "does not know conditional writes (If-None-Match)" in caplog.text
    assert list(store.list("rollout")) == []
