"""Two writers of one artefact on a real S3 server. Every order of their requests: tests/unit/storage/test_publication.py."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
from reflection_api.layout import MANIFEST
from reflection_api.reasons import Reason
from reflection_trainer.errors import DependencyAway
from reflection_trainer.storage import Artifacts

from ...support import faults
from ...support.writers import race
from .files import PART, local_file


def folder(root: Path, name: str) -> Path:
    """A file in parts, and two small ones."""
    made = root / name
    made.mkdir()
    local_file(made, PART + 7, f"weights of {name}").rename(made / "weights")
    for file in ("a", "z"):
        (made / file).write_text(f"{name} {file}")
    return made


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("before", ["nothing", "remains", "an artefact"])
def test_at_most_one_wins_and_what_is_there_is_whole(seed, before, store, tmp_path) -> None:
    if before == "an artefact":
        Artifacts(store).put_folder(folder(tmp_path, "before"), "model", kind="model")
    elif before == "remains":
        store.write("model/a", b"half")
    rng = random.Random(seed)
    order = [rng.randrange(2) for _ in range(30)]
    locals_ = {name: folder(tmp_path, name) for name in "xy"}
    ends = race(
        store,
        order,
        *(
            (lambda ordered, local=local: Artifacts(ordered).put_folder(local, "model", kind="model"))
            for local in locals_.values()
        ),
    )
    winners = {name for name, end in zip("xy", ends, strict=True) if end is None}
    for end in ends:
        assert end is None or (isinstance(end, DependencyAway) and end.reason is Reason.STORAGE_CONFLICT), end
    found = Artifacts(store).get_folder("model", tmp_path / "copy")
    writer = (tmp_path / "copy" / "a").read_text().split()[0] if found else None
    assert writer in winners if winners else writer in (None, "before")
    if winners:
        assert (tmp_path / "copy" / "weights").read_bytes() == (locals_[writer] / "weights").read_bytes()


def test_two_threads_at_full_speed(store, tmp_path) -> None:
    """Nobody orders their requests here."""
    for number in range(5):
        locals_ = [folder(tmp_path, f"{name}{number}") for name in "xy"]
        start, wins, losses = threading.Barrier(2), [], []

        def work(local: Path, path: str, start=start, wins=wins, losses=losses) -> None:
            start.wait()
            try:
                Artifacts(store).put_folder(local, path, kind="model")
                wins.append(local)
            except DependencyAway as lost:
                losses.append(lost.reason)

        path = f"model-{number}"
        threads = [threading.Thread(target=work, args=(local, path)) for local in locals_]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(losses) <= {Reason.STORAGE_CONFLICT}
        assert len(wins) + len(losses) == 2
        found = Artifacts(store).get_folder(path, tmp_path / f"copy{number}")
        assert (found is not None) == bool(wins)
        if found:
            assert (tmp_path / f"copy{number}" / "a").read_text().split()[0] in {local.name for local in wins}


def test_a_claim_whose_answer_is_lost_is_ones_own(open_s3, s3_proxy, tmp_path) -> None:
    """And so is every other conditional write of an artefact."""
    store = open_s3(s3_proxy.endpoint)
    Artifacts(store).put_folder(folder(tmp_path, "before"), "model", kind="model")
    lost = [
        s3_proxy.inject(faults.lose_answer, method="PUT", target=f"/model/{name}$")
        for name in (MANIFEST, "a", "z", MANIFEST)
    ]
    lost.append(s3_proxy.inject(faults.lose_answer, method="POST", target="uploadId="))
    Artifacts(store).put_folder(folder(tmp_path, "after"), "model", kind="model")
    assert Artifacts(store).get_folder("model", tmp_path / "copy") is not None
    assert (tmp_path / "copy" / "a").read_text() == "after a"
    assert [fault.times for fault in lost] == [0] * 5


def test_an_object_without_its_manifest_does_not_exist(store, tmp_path) -> None:
    artifacts = Artifacts(store)
    artifacts.put_folder(folder(tmp_path, "model"), "model", kind="model")
    store.delete(f"model/{MANIFEST}")
    assert artifacts.get_folder("model", tmp_path / "copy") is None
    local = local_file(tmp_path, 10)
    store.upload(local, "shard")
    assert artifacts.get_file("shard", tmp_path / "copy") is None
