"""The whole loop judged by a service of one's own: with the same verdicts it comes to the same model, bit for bit."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml
from reflection_api.items import Item
from reflection_trainer.verify.registry import make_verifier

from ...support.verifier_server import Request, verifier_server
from .loop import EXAMPLE, REFLECT, Loop

COUNTDOWN = make_verifier("countdown")


def countdown(request: Request) -> None:
    """Judge as the built-in verifier does."""
    verdicts = COUNTDOWN.verify([Item.model_validate(item) for item in request.items])
    request.answer(200, {"verdicts": [verdict.to_dict() for verdict in verdicts]})


def generous(request: Request) -> None:
    """Judge so too, but take silence for an answer."""
    verdicts = COUNTDOWN.verify([Item.model_validate(item) for item in request.items])
    found = [verdict.to_dict() for verdict in verdicts]
    for item, verdict in zip(request.items, found, strict=True):
        verdict["correct"] = verdict["correct"] or not item["completion"].strip()
    request.answer(200, {"verdicts": found})


@pytest.fixture
def loop(tmp_path):
    """The countdown example with a container in the place of its verifier."""
    resource = yaml.safe_load(EXAMPLE.read_text())
    resource["spec"]["task"]["verifier"] = {"container": {"image": "registry.example/countdown:1"}}
    for place in (
        resource["spec"]["model"],
        resource["spec"]["task"]["prompts"],
        resource["spec"]["evaluation"]["prompts"],
    ):
        place["uri"] = (EXAMPLE.parent / place["uri"].removeprefix("file://./")).as_uri()
    made = Loop(tmp_path)
    made.resource = tmp_path / "run.yaml"
    made.resource.write_text(yaml.safe_dump(resource))
    return made


def audit_of(loop):
    return json.loads((loop.workdir / "resource.json").read_text())["status"]["verifier"]["audit"]


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.timeout(900)
def test_the_same_verdicts_make_the_same_model(loop, undisturbed, monkeypatch):
    with verifier_server(countdown) as asked:
        monkeypatch.setenv("REFLECT_VERIFIER_URL", asked.url)
        done = loop.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert loop.dataset() == undisturbed.dataset()
    assert loop.weights() == undisturbed.weights()
    assert loop.result() == undisturbed.result()
    audit = audit_of(loop)
    assert (audit["sample"], audit["canaries"]) == (200, 200)
    assert (audit["flaky"], audit["canariesAccepted"]) == (0, 0)
    assert "200 answers were judged twice, 0 of them differently" in loop.file("report/report.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_unsound_verifier_ends_the_run_before_training(loop, monkeypatch, tmp_path):
    with verifier_server(generous) as asked:
        monkeypatch.setenv("REFLECT_VERIFIER_URL", asked.url)
        done = loop.run()
    assert done.returncode == 1
    [ended] = [event for event in loop.events() if event["reason"] == "Failed"]
    assert "VerifierUnsound: the verifier accepted " in ended["message"]
    assert (
        "canary answers that are wrong (limit 0, spec.task.verifier.audit.maxCanaryAccepted)"
        in ended["message"]
    )
    assert "correct the verifier and run the same command again" in ended["message"]
    assert audit_of(loop)["canariesAccepted"] > 0
    assert not any("/train/" in path for path in loop.artefacts())
    page = tmp_path / "page.html"
    report = subprocess.run(
        [REFLECT, "report", loop.storage, "--output", page], capture_output=True, text=True, check=False
    )
    assert report.returncode == 0, report.stderr
    text = page.with_suffix(".md").read_text()
    assert (
        "Did it learn? No, the verifier is unsound. The verifier failed its audit (VerifierUnsound)" in text
    )
    assert "`the verifier accepted " in text
