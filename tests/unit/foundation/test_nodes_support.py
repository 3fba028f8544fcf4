"""What the tests on nodes stand on, as far as it does without nodes."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from ...support.nodes import clock, undo
from ...support.nodes.evidence import telling

POD = {
    "metadata": {"name": "p"},
    "status": {
        "initContainerStatuses": [{"name": "verifier", "restartCount": 2}],
        "containerStatuses": [{"name": "stage", "restartCount": 0}],
    },
}


class Said:
    """A cluster of one pod, whose kubectl says what it was asked."""

    def kubectl(self, *words: str) -> CompletedProcess[str]:
        pods = json.dumps({"items": [POD]})
        return CompletedProcess(words, 0, pods if "json" in words else f"<{' '.join(words)}>", "")


def test_evidence_has_the_logs_before_a_restart() -> None:
    cluster: Any = Said()
    with pytest.raises(ValueError, match="x") as caught, telling(cluster, "one", "two"):
        raise ValueError("x")
    (note,) = caught.value.__notes__
    for namespace in ("one", "two"):
        assert f"<logs p --all-containers --prefix --tail=40 --namespace {namespace}>" in note
        assert f"<logs p --container verifier --previous --tail=40 --namespace {namespace}>" in note
    assert "--container stage" not in note


def test_without_a_compiler_there_is_no_wrong_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(pytest.skip.Exception, match="cc: no C compiler is installed"):
        clock.with_clock(1)


def test_places_of_mounts_go_again_unless_they_were_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.mkdir()
    monkeypatch.setattr(undo, "OWN", (str(there), str(missing)))
    folders = [what for kind, what in undo.changes() if kind == "folder"]
    assert folders == [str(missing)]
    missing.mkdir()
    (missing / "somebody's").touch()
    undo.UNDO["folder"](str(missing))
    assert missing.exists()
    (missing / "somebody's").unlink()
    undo.UNDO["folder"](str(missing))
    assert not missing.exists()
