"""Whatever happens in a stage becomes an exit code and a termination message that a kubelet keeps whole."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reflection_api.contract import ArtifactRef, StageConfig, StageResult
from reflection_api.reasons import MEANINGS, Fault, Reason
from reflection_api.stages import Stage
from reflection_trainer import __main__ as command
from reflection_trainer import harness
from reflection_trainer.errors import BadConfig, BadData, CorruptArtifact, DependencyAway, StageFailure
from reflection_trainer.harness import run_stage, write_result

from ..support.stage_runs import stage_config

DONE = StageResult(stage=Stage.VERIFY, outcome="Succeeded", reason="Completed", message="done")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REFLECT_TERMINATION_LOG", str(tmp_path / "termination-log"))
    monkeypatch.setenv("REFLECT_WORKDIR", str(tmp_path / "work"))
    return tmp_path / "termination-log"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.json"
    made = stage_config(
        "verify", folder=tmp_path / "runs", model="file:///model", prompts="file:///train.jsonl"
    )
    file.write_text(made.to_json())
    return file


def ended(log: Path) -> StageResult:
    return StageResult.model_validate_json(log.read_text())


def run_raising(config: Path, error: BaseException, stage: Stage = Stage.VERIFY) -> int:
    def function(_context: object) -> StageResult:
        raise error

    return run_stage(stage, config, function)


def test_a_stage_that_succeeds(config, log):
    assert run_stage(Stage.VERIFY, config, lambda _context: DONE) == 0
    assert ended(log) == DONE


def test_the_stage_gets_its_surroundings(config, log, tmp_path, monkeypatch):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "3")
    seen = []
    run_stage(Stage.VERIFY, config, lambda context: seen.append(context) or DONE)
    assert (seen[0].index, seen[0].workdir.parent) == (3, tmp_path / "work")
    assert seen[0].config == StageConfig.model_validate_json(config.read_text())


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (BadConfig("no", reason=Reason.INVALID_SPEC), 78),
        (BadData("no", reason=Reason.INVALID_PROMPTS), 65),
        (CorruptArtifact("no"), 65),
        (DependencyAway("no", reason=Reason.STORAGE_FULL), 75),
        (StageFailure("no", reason=Reason.OUT_OF_MEMORY), 1),
    ],
)
def test_a_failure_with_a_name_is_a_sentence(config, log, capfd, failure, code):
    assert run_raising(config, failure) == code
    assert (ended(log).outcome, ended(log).reason, ended(log).message) == ("Failed", failure.reason, "no")
    assert capfd.readouterr().err.startswith("error: no\n")


@pytest.mark.parametrize("stage", Stage)
def test_a_failure_without_a_name_is_a_crash_of_its_stage(tmp_path, log, capfd, stage):
    file = tmp_path / "config.json"
    made = stage_config(
        stage.value, folder=tmp_path / "runs", model="file:///model", prompts="file:///train.jsonl"
    )
    file.write_text(made.to_json())
    assert run_raising(file, KeyError("advantages"), stage) == 1
    result = ended(log)
    assert (result.stage, result.outcome, result.message) == (stage, "Failed", "KeyError: 'advantages'")
    assert MEANINGS[Reason(result.reason)].fault is Fault.PROGRAM
    assert result.reason.lower().startswith(stage.value[:4])
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "the process ran out of memory"),
        (RuntimeError("[x] DefaultCPUAllocator: can't allocate memory"), "[x] DefaultCPUAllocator: can't"),
        (
            type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory.\nTried"),
            "CUDA out of memory.; raise",
        ),
    ],
)
def test_memory_that_cannot_be_had(config, log, capfd, error, words):
    assert run_raising(config, error) == 1
    assert (ended(log).reason, ended(log).message[: len(words)]) == ("OutOfMemory", words)
    assert "raise the memory limit in spec.pods" in ended(log).message
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "where", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space left", "/work/shard.parquet"),
            " for /work/shard.parquet",
            "No space left",
        ),
        (OSError(errno.EFBIG, "Error writing bytes to file"), "", "Error writing bytes to file"),
        # As safetensors and torch say it.
        (Exception("I/O error: No space left (os error 28)"), "", "I/O error: No space left (os error 28)"),
        (RuntimeError("[...] unexpected pos 576 vs 534"), "", "[...] unexpected pos 576 vs 534"),
    ],
)
def test_a_full_scratch_folder(config, log, capfd, error, where, words):
    assert run_raising(config, error) == 75
    assert ended(log).reason == "StorageFull"
    assert ended(log).message == (
        f"there is no room{where} on this machine or in this pod: {words}; free space below $REFLECT_WORKDIR, "
        "or raise ephemeral-storage in spec.pods"
    )
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_a_request_to_stop_is_not_a_crash(config, log, error):
    with pytest.raises(type(error)):
        run_raising(config, error)
    assert not log.exists()


def test_a_configuration_of_another_stage(config, log):
    assert run_stage(Stage.TRAIN, config, lambda _context: DONE) == 78
    assert ended(log).reason == "InvalidSpec"
    assert ended(log).message == f"--config {config}: is made for verify, not train"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file or directory"),
        ("{", "Invalid JSON"),
        ("{}", "Field required; it must be a StageConfig of this version"),
        ("[]", "it must be a StageConfig of this version"),
    ],
)
def test_a_configuration_that_is_none(tmp_path, log, capfd, text, words):
    file = tmp_path / "config.json"
    if text is not None:
        file.write_text(text)
    assert run_stage(Stage.VERIFY, file, lambda _context: DONE) == 78
    assert (ended(log).stage, ended(log).reason) == (Stage.VERIFY, "InvalidSpec")
    assert ended(log).message.startswith(f"--config {file}: ")
    assert words in ended(log).message
    assert "Traceback" not in capfd.readouterr().err


def test_a_configuration_of_another_version_names_the_field(config, log):
    config.write_text(json.dumps(json.loads(config.read_text()) | {"version": "v2"}))
    assert run_stage(Stage.VERIFY, config, lambda _context: DONE) == 78
    assert ended(log).message.startswith(f"--config {config}: version: Input should be 'v1alpha1'")


def test_a_storage_that_does_not_exist_here(config, log):
    changed = json.loads(config.read_text())
    changed["storage"]["uri"] = "ftp://host/runs"
    config.write_text(json.dumps(changed))
    assert run_stage(Stage.VERIFY, config, lambda _context: DONE) == 78


def test_a_long_failure_is_cut(config, log):
    assert run_raising(config, ValueError("x" * 9000)) == 1
    assert len(ended(log).message) == 1024


WORDS = st.text(min_size=0, max_size=1024)


@given(
    WORDS,
    WORDS,
    st.dictionaries(st.text("abcXYZ.", min_size=1, max_size=30), st.floats(), max_size=32),
    st.lists(st.builds(ArtifactRef, uri=st.text(max_size=1024)), max_size=8),
)
def test_any_result_fits_into_a_termination_message(tmp_path_factory, message, note, metrics, artifacts):
    result = DONE.model_copy(
        update={"message": message, "note": note, "metrics": metrics, "artifacts": artifacts}
    )
    target = tmp_path_factory.getbasetemp() / "termination-log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFLECT_TERMINATION_LOG", str(target))
        write_result(result)
    assert target.stat().st_size <= 4096
    kept = ended(target)
    figures = {name: value for name, value in metrics.items() if math.isfinite(value)}
    assert (kept.stage, kept.outcome, kept.reason, kept.metrics) == (
        result.stage, result.outcome, result.reason, figures,
    )  # fmt: skip
    assert message.startswith(kept.message[:200])
    whole = result.model_copy(update={"metrics": figures})
    if len(whole.to_json().encode()) <= 4096:
        assert kept == whole


def test_artefacts_go_before_words(log):
    many = [ArtifactRef(uri="file:///" + "x" * 1000)] * 8
    write_result(DONE.model_copy(update={"artifacts": many, "message": "kept " * 200}))
    assert (ended(log).artifacts, ended(log).message) == ([], "kept " * 200)


def test_without_a_place_for_it_the_result_is_in_the_log_only(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("REFLECT_TERMINATION_LOG", str(tmp_path / "no" / "folder"))
    with caplog.at_level("INFO", logger=harness.logger.name):
        write_result(DONE)
    assert '"outcome":"Succeeded"' in caplog.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify"], "--config is missing (or $REFLECT_CONFIG)"),
        (["fly", "--config", "x"], "invalid choice: 'fly'"),
        ([], "the following arguments are required: stage"),
    ],
)
def test_a_command_line_that_is_wrong(capsys, arguments, words):
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_the_configuration_may_come_from_the_environment(config, log, monkeypatch):
    monkeypatch.setenv("REFLECT_CONFIG", str(config))
    assert command.main(["verify"]) == 65  # there are no answers
    assert ended(log).reason == "ArtifactCorrupt"
