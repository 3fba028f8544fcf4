"""A run of which a stage fails: why, how it ends, and that the corrected run uses what there is."""

from __future__ import annotations

import os
import re

import pytest
import yaml
from reflection_api.reasons import MEANINGS, Reason

from ...support.memory import limited_memory
from .loop import EXAMPLE, Loop

pytestmark = [pytest.mark.slow, pytest.mark.training, pytest.mark.timeout(900)]


def loop_with_adapters(folder, layer):
    """The example, trained by adapters on this layer."""
    resource = yaml.safe_load(EXAMPLE.read_text().replace("file://./", f"{EXAMPLE.parent.as_uri()}/"))
    resource["spec"]["training"]["lora"] = {"targetModules": [layer]}
    loop = Loop(folder, **{"spec.task.prompts.limit": 24, "spec.training.maxSteps": 2})
    loop.resource = folder / "reflectiontraining.yaml"
    loop.resource.write_text(yaml.safe_dump(resource))
    return loop


def test_a_stage_that_fails_is_told_and_the_corrected_run_goes_on_from_what_was_made(tmp_path):
    wrong = loop_with_adapters(tmp_path, "q_porj")
    failed = wrong.run()
    assert failed.returncode == 1
    said = " ".join((failed.stdout + failed.stderr).split())
    assert "spec.training.lora.targetModules: q_porj: the model has no linear layer of that name" in said
    assert "Traceback" not in said
    made = wrong.work_done()
    assert any("/verify/" in path for path in made)
    right = loop_with_adapters(tmp_path, "q_proj")
    done = right.run()
    assert done.returncode == 0, done.stdout + done.stderr
    left = right.work_done()
    assert {path: left[path] for path in made} == made, "what was there was made again"
    assert right.file("round-1/train/model/manifest.json").is_file()


def test_a_stage_that_the_kernel_kills_for_memory_is_told_with_a_remedy(tmp_path):
    loop = Loop(tmp_path, **{"spec.failurePolicy.maxRestarts": 0})
    with limited_memory(f"reflect-tests-{os.getpid()}", 200 << 20) as within:
        failed = loop.run(*within)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    said = " ".join((failed.stdout + failed.stderr).split())
    assert re.search("the last time OutOfMemory: pod .* was killed for using too much memory", said)
    assert MEANINGS[Reason.OUT_OF_MEMORY].remedy in said
    assert loop.finished() == {}
