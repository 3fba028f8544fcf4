"""The Kubernetes objects of every stage, written out.

A wanted change is taken over with `UPDATE_GOLDEN=1 pytest tests/unit/children` and read in the diff.
"""

from __future__ import annotations

import os

import pytest
from reflection_api.stages import Stage
from reflection_api.validation import load_resources
from reflection_operator.children.build import build
from reflection_operator.children.progress_place import ProgressPlace
from reflection_operator.children.text import to_yaml
from reflection_operator.settings import OperatorSettings

from .resources import GOLDEN, golden_resource

SETTINGS = OperatorSettings(trainer_image="registry.example/reflect-trainer:test")
PLACE = ProgressPlace(
    "https://reflect-operator-progress.reflect-system.svc:8443/v1alpha1/progress",
    "-----BEGIN CERTIFICATE-----\nthe operator's own\n-----END CERTIFICATE-----\n",
)
CASES = {
    "minimal": {"round_number": 1, "attempt": 1, "restarts": 0},
    "progress": {"round_number": 1, "attempt": 1, "restarts": 0, "progress": PLACE},
    "everything": {"round_number": 2, "attempt": 3, "restarts": 1},
    "container-verifier": {"round_number": 1, "attempt": 1, "restarts": 0},
}


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("case", CASES)
def test_children_are_as_written_out(case: str, stage: Stage) -> None:
    text = to_yaml(build(golden_resource(case), stage=stage, settings=SETTINGS, **CASES[case]))
    golden = GOLDEN / case / f"{stage.value}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("case", CASES)
def test_the_resource_is_valid(case: str) -> None:
    assert len(load_resources(GOLDEN / case / "resource.yaml", local=False)) == 1


def test_no_golden_file_is_left_over() -> None:
    expected = {f"{case}/{name}.yaml" for case in CASES for name in ("resource", *Stage)}
    assert {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*") if path.is_file()} == expected
