"""Runs real stages as processes, as a pod or the local runner does, and reads what they left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from reflection_api.contract import StageConfig, StageResult
from reflection_api.layout import MANIFEST
from reflection_trainer.__main__ import main
from reflection_trainer.storage.store import PARTIAL

REFLECTION = "wrong reflect"
RETRY = "retry {{ question }}"


@dataclass(frozen=True)
class StageRun:
    """How a stage ended."""

    exit_code: int
    result: StageResult
    """Its termination message."""
    stderr: str


def write_prompts(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def countdown_rows(count: int) -> list[dict[str, Any]]:
    """Different questions, all of known words."""
    pairs = [(a, b) for b in range(1, 10) for a in range(1, 10)]
    return [
        {"prompt": f"make {a + b} from {a} {b}", "nums": [a, b], "target": a + b} for a, b in pairs[:count]
    ]


def stage_config(
    stage: str,
    *,
    folder: Path,
    model: Path | str,
    prompts: Path | str,
    changes: Mapping[str, Any] | None = None,
) -> StageConfig:
    """A configuration as the operator resolves it. `changes` are laid over it; its keys are dotted paths."""
    values: dict[str, Any] = {
        "stage": stage,
        "run": {"namespace": "default", "name": "tiny", "uid": "0123456789abcdef"},
        "round": 1,
        "rounds": 1,
        "attempt": 1,
        "model": {"uri": _uri(model)},
        "policy": {"uri": _uri(model)},
        "task": {
            "prompts": {"uri": _uri(prompts)},
            "verifier": {"builtin": {"name": "countdown"}},
            "templates": {"reflection": REFLECTION, "retry": RETRY},
        },
        "rollout": {
            "engine": "transformers",
            "attemptsPerPrompt": 4,
            "sampling": {"temperature": 1.0, "maxTokens": 8},
        },
        "training": {
            "processesPerNode": 1,
            "microBatchSize": 8,
            "precision": "fp32",
            "generation": "transformers",
        },
        "evaluation": {},
        "storage": {"uri": _uri(folder)},
    }
    for path, value in (changes or {}).items():
        _lay(values, path.split("."), value)
    return StageConfig.model_validate(values)


def run_stage_here(
    config: StageConfig, scratch: Path, monkeypatch: pytest.MonkeyPatch, *, index: int = 0
) -> StageRun:
    """The same without a process of its own: what was imported once is not imported again."""
    command, environment = _prepared(config, scratch, index)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    exit_code = main(command[3:])
    return StageRun(exit_code, StageResult.model_validate_json((scratch / "termination-log").read_text()), "")


def run_stage(config: StageConfig, scratch: Path, *, timeout: float = 240, **how: Any) -> StageRun:
    """Run `python -m reflection_trainer <stage>` to its end. `how` goes to `start_stage`."""
    process = start_stage(config, scratch, **how)
    _, stderr = process.communicate(timeout=timeout)
    log = scratch / "termination-log"
    assert log.exists(), stderr
    return StageRun(process.returncode, StageResult.model_validate_json(log.read_text()), stderr)


def start_stage(
    config: StageConfig,
    scratch: Path,
    *,
    index: int = 0,
    environment: Mapping[str, str] | None = None,
    wrapper: Sequence[str] = (),
) -> subprocess.Popen[str]:
    """Start a stage as a pod would. `wrapper` is a command that takes this one as its arguments."""
    command, own = _prepared(config, scratch, index)
    return subprocess.Popen(
        [*wrapper, *command],
        env={**os.environ, **own, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _prepared(config: StageConfig, scratch: Path, index: int) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a pod."""
    scratch.mkdir(parents=True, exist_ok=True)
    file = scratch / "config.json"
    file.write_text(config.to_json())
    (scratch / "termination-log").unlink(missing_ok=True)
    command = [sys.executable, "-m", "reflection_trainer", config.stage.value, "--config", str(file)]
    return command, {
        "REFLECT_TERMINATION_LOG": str(scratch / "termination-log"),
        "REFLECT_PROGRESS": str(scratch / "progress.json"),
        "REFLECT_WORKDIR": str(scratch / "work"),
        "JOB_COMPLETION_INDEX": str(index),
    }


_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


def check_read_only_is_told(config: StageConfig, folder: Path, scratch: Path) -> None:
    """A stage whose storage, the folder, cannot be written to says so and changes nothing."""
    before = stored(folder)
    run = run_stage(config, scratch, wrapper=mounting(_READ_ONLY, folder))
    assert (run.exit_code, run.result.reason) == (78, "StorageDenied")
    assert run.result.message.startswith(f"storage: cannot write {folder.as_uri()}/")
    assert "Traceback" not in run.stderr
    assert stored(folder) == before


_FULL = """
cp -aT "$0" "$0.before" && mount -t tmpfs none "$0" && cp -aT "$0.before" "$0" || exit 1
used=$(df --output=used --block-size=1k "$0" | tail -n 1)
mount -o "remount,size=$((used + {room}))k" "$0" || exit 1
"$@"
code=$?
cd "$0" && find . -type f > "$0.left"
exit $code
"""


def check_full_is_told(config: StageConfig, folder: Path, scratch: Path, *, room: int) -> set[str]:
    """A stage says so when its storage, the folder, is a disk with room for so many KiB more, and nothing looks complete.

    Returns:
        The paths of the files that it leaves there: without a manifest they do not exist.
    """
    before = stored(folder)
    run = run_stage(config, scratch, wrapper=mounting(_FULL.replace("{room}", str(room)), folder))
    assert (run.exit_code, run.result.reason) == (75, "StorageFull"), run.stderr
    assert run.result.message.startswith(f"storage: cannot write {folder.as_uri()}/")
    assert run.result.message.endswith(
        ": No space left on device; free space there, or start a run with a larger spec.storage.uri"
    )
    assert "Traceback" not in run.stderr
    assert stored(folder) == before, "it wrote past the disk"
    left = {line.removeprefix("./") for line in Path(f"{folder}.left").read_text().splitlines()}
    assert left >= before
    assert not [path for path in left - before if path.endswith(MANIFEST) or PARTIAL in path]
    return left - before


def mounting(script: str, folder: Path) -> tuple[str, ...]:
    """A wrapper that mounts something where only the command sees it, by a shell script that finds the folder as `$0`.

    Without the right to mount, the test is left out.
    """
    wrapper = ("unshare", "--map-root-user", "--mount", "bash", "-c", script, str(folder))
    if subprocess.run([*wrapper, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a file system: run it as root")
    return wrapper


def stored(folder: Path) -> set[str]:
    """Names of all files below a storage folder, those being written included."""
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def _uri(place: Path | str) -> str:
    return place if isinstance(place, str) else place.as_uri()


def _lay(values: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value
