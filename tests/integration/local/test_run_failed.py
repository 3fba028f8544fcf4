"""A run of which a stage fails: why, how it ends, and that the corrected run uses what there is."""

from __future__ import annotations

import pytest

from .loop import Loop

pytestmark = [pytest.mark.slow, pytest.mark.training, pytest.mark.timeout(900)]


def test_a_stage_that_fails_is_told_and_the_corrected_run_goes_on_from_what_was_made(tmp_path):
    small = {"spec.task.prompts.limit": 24, "spec.training.maxSteps": 2}
    wrong = Loop(tmp_path, **small, **{"spec.training.lora": '{"targetModules": ["q_porj"]}'})
    failed = wrong.run()
    assert failed.returncode == 1
    said = " ".join((failed.stdout + failed.stderr).split())
    assert "spec.training.lora.targetModules: q_porj: the model has no linear layer of that name" in said
    assert "Traceback" not in said
    made = wrong.finished()
    assert any("/verify/" in path for path in made)
    again = wrong.run()
    assert again.returncode == 1, "what is wrong is still wrong"
    right = Loop(tmp_path, **small, **{"spec.training.lora": '{"targetModules": ["q_proj"]}'})
    done = right.run()
    assert done.returncode == 0, done.stdout + done.stderr
    left = right.finished()
    assert {path: left[path] for path in made} == made, "what was there was made again"
    assert right.file("round-1/train/model/manifest.json").is_file()
