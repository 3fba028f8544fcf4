"""The verify stage with a verifier of one's own: asked over HTTP, audited, and stopped where it is unsound."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reflection_api.manifests import Manifest
from reflection_trainer.provenance import settings_provenance
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.verify.audit_file import AuditRecord, read_record
from reflection_trainer.verify.configured import task_verifier

from ...support.stage_runs import StageRun, run_stage_here, stored
from ...support.verifier_server import Request, free_address, verdict, verifier_server
from .answers import stage_folder, store_answers, verify_config

ANSWERS = ["all right", "wrong", "so wrong", "right"]

Verify = Callable[..., StageRun]


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verify:
    monkeypatch.setenv("REFLECT_VERIFIER_PATIENCE", "0.5")

    def run(url: str, answers: list[str] = ANSWERS, **audit: Any) -> StageRun:
        changes = {"task.verifier": {"http": {"url": url, "timeoutSeconds": 5}, "audit": audit}}
        store_answers(tmp_path, [answers], **changes)
        return run_stage_here(verify_config(tmp_path, **changes), tmp_path / "scratch", monkeypatch)

    return run


def kept_of(folder: Path) -> AuditRecord | None:
    """What the stage left in storage about the audit."""
    artifacts = Artifacts(open_store(verify_config(folder).run_uri))
    return read_record(artifacts, "round-1/verify", folder)


def ended(run: StageRun) -> tuple[int, str]:
    return run.exit_code, run.result.reason


def test_a_sound_verifier(verify: Verify, tmp_path: Path) -> None:
    with verifier_server() as asked:
        run = verify(asked.url)
    assert ended(run) == (0, "Completed")
    assert run.result.metrics == {
        "attempts": 4, "correct": 2, "failures": 2, "duplicates": 0, "reason.wrong_word": 2,
    }  # fmt: skip
    assert run.result.audit is not None
    assert run.result.audit.to_dict() == {
        "sample": 4, "flaky": 0, "gold": 0, "goldRefused": 0, "canaries": 4, "canariesAccepted": 0,
    }  # fmt: skip
    assert kept_of(tmp_path) == AuditRecord(figures=run.result.audit)
    manifest = Manifest.model_validate_json((stage_folder(tmp_path) / "manifest.json").read_text())
    assert manifest.provenance.verifier["options"] == {"url": asked.url}


def test_a_verifier_that_can_be_cheated_ends_the_run_before_anything_is_judged(
    verify: Verify, tmp_path: Path
) -> None:
    def gullible(request: Request) -> None:
        found = [verdict(item) | {"correct": True} for item in request.items]
        request.answer(200, {"verdicts": found})

    with verifier_server(gullible) as asked:
        run = verify(asked.url)
    assert ended(run) == (65, "VerifierUnsound")
    assert run.result.audit is not None
    assert run.result.audit.canaries_accepted == 4
    assert run.result.message.startswith(
        "the verifier accepted 4 of 4 canary answers that are wrong (limit 0, "
    )
    assert {name.rsplit("/", 1)[1] for name in stored(tmp_path / "runs") if "/verify/" in name} == {
        "audit.json",
        "audit.json.manifest.json",
    }
    assert kept_of(tmp_path) == AuditRecord(figures=run.result.audit, fault=run.result.message)


def test_one_whose_verdicts_cannot_be_read_fails_its_audit(verify: Verify, tmp_path: Path) -> None:
    with verifier_server(lambda request: request.answer(200, "fine")) as asked:
        run = verify(asked.url)
    assert ended(run) == (65, "VerifierUnsound")
    assert kept_of(tmp_path) == AuditRecord(fault=run.result.message)


def test_what_an_audit_found_is_forgotten_where_none_is_wanted_any_more(
    verify: Verify, tmp_path: Path
) -> None:
    with verifier_server(lambda request: request.answer(200, "fine")) as asked:
        verify(asked.url)
    with verifier_server() as asked:
        assert ended(verify(asked.url, sample=0)) == (0, "Completed")
    assert kept_of(tmp_path) is None


def test_the_sample_is_really_judged_twice(verify: Verify) -> None:
    """What the verifier said before is not remembered for it."""
    turn = itertools.count()

    def coin(request: Request) -> None:
        found = [verdict(item) for item in request.items]
        if next(turn) == 0:
            found = [one | {"correct": False, "reason": "coin"} for one in found]
        request.answer(200, {"verdicts": found})

    with verifier_server(coin) as asked:
        run = verify(asked.url, maxFlakeRate=0.4)
    assert ended(run) == (65, "VerifierUnsound")
    assert run.result.audit is not None
    assert run.result.audit.flaky == 2


def test_the_sample_comes_from_all_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the last rows of a file is found, too, and the same answers are drawn again."""
    with verifier_server() as asked:
        changes = {"task.verifier": {"http": {"url": asked.url}, "audit": {"sample": 20}}}
        gold = [{"gold": "it is right"}, {"gold": "it is wrong"}]
        store_answers(tmp_path, [["right"] * 40, ["right"] * 40], rows=gold, **changes)
        config = verify_config(tmp_path, **changes)
        run, again = (run_stage_here(config, tmp_path / "scratch", monkeypatch) for _ in range(2))
    assert ended(run) == (65, "VerifierUnsound")
    assert run.result.audit is not None
    assert (run.result.audit.sample, run.result.audit.gold, run.result.audit.gold_refused) == (20, 2, 1)
    assert (
        "refused 1 of 2 answers that the prompts say are right, for example that of 00000001-"
        in run.result.message
    )
    assert again.result == run.result


def test_no_audit_where_none_is_wanted(verify: Verify) -> None:
    with verifier_server() as asked:
        run = verify(asked.url, sample=0)
        assert sum(map(len, asked.requests)) == 4
    assert ended(run) == (0, "Completed")
    assert run.result.audit is None


def test_more_reasons_than_a_result_holds(verify: Verify, tmp_path: Path) -> None:
    def chatty(request: Request) -> None:
        found = [verdict(item) for item in request.items]
        texts = (item["completion"] for item in request.items)
        reasons = (text if text.startswith("wrong") else "other" for text in texts)
        found = [one | {"reason": reason} for one, reason in zip(found, reasons, strict=True)]
        request.answer(200, {"verdicts": found})

    with verifier_server(chatty) as asked:
        run = verify(asked.url, [f"wrong{number % 50}" for number in range(60)])
    assert ended(run) == (0, "Completed")
    reasons = {name: count for name, count in run.result.metrics.items() if name.startswith("reason.")}
    assert len(reasons) == 21
    assert sum(reasons.values()) == 60
    assert reasons["reason.others"] == 30
    manifest = Manifest.model_validate_json((stage_folder(tmp_path) / "manifest.json").read_text())
    assert sum(name.startswith("reason.") for name in manifest.metrics) == 50


def test_a_verifier_that_is_away_is_tried_again_later(verify: Verify) -> None:
    run = verify(free_address())
    assert ended(run) == (75, "DependencyUnavailable")
    assert "see its log and bring it back" in run.result.message


def test_one_that_dies_in_the_middle_and_comes_back(verify: Verify) -> None:
    died = threading.Event()

    def mortal(request: Request) -> None:
        if request.number == 3 and not died.is_set():
            died.set()
            request.vanish()
        else:
            request.judge()

    with verifier_server(mortal) as asked:
        run = verify(asked.url)
    assert died.is_set()
    assert ended(run) == (0, "Completed")


def test_a_container_is_asked_where_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    container = {"image": "judge:1", "env": [{"name": "KEY", "value": "secret"}]}
    changes = {"task.verifier": {"container": container}}
    store_answers(tmp_path, [ANSWERS], **changes)
    config = verify_config(tmp_path, **changes)
    with verifier_server() as asked:
        monkeypatch.setenv("REFLECT_VERIFIER_URL", asked.url)
        run = run_stage_here(config, tmp_path / "scratch", monkeypatch)
    assert ended(run) == (0, "Completed")
    made = settings_provenance(config, task_verifier(config.task)).to_dict()["verifier"]
    assert (made["name"], made["options"]["image"]) == ("container", "judge:1")
    assert "secret" not in str(made)
