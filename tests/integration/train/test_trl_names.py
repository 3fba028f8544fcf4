"""What we import of TRL, pinned by name: when one is gone training is an ImportError, and only this file says what to do.

TRL is read here and not imported: grpo.py has to be the first to do that. test_trl_contract.py pins how what is imported
behaves, and what else we use.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

TRL = Path(find_spec("trl").origin).parent
TRAIN = Path(find_spec("reflection_trainer").origin).parent / "train"
DOOR = "grpo.py"
WITHOUT_VLLM = (
    "grpo.py replaces trl.import_utils.is_vllm_available. Find what TRL asks now before it imports vLLM, and answer no in its "
    "place: else every training process loads vLLM, for seconds and gigabytes"
)
NAMES = {
    "trl.import_utils": WITHOUT_VLLM,
    "trl.import_utils.is_vllm_available": WITHOUT_VLLM,
    "trl.trainer.grpo_config.GRPOConfig": "config.py fills it: take it from where it is now, then see test_trl_contract.py",
    "trl.trainer.grpo_trainer.GRPOTrainer": "ReflectionTrainer is one: take it from where it is now, then as above",
    "trl.trainer.utils.shuffle_sequence_dict": (
        "ReflectionTrainer._prepare_inputs mixes the rows of a step with it. A dozen lines: write them in grpo.py as its last "
        "version had them (one torch.randperm for all columns; numbers and None stay), or resumed runs draw other orders"
    ),
    "trl.trainer.utils.split_tensor_dict": (
        "ReflectionTrainer._prepare_inputs cuts a step into micro-batches with it. A dozen lines: write them in grpo.py as its "
        "last version had them (equal parts in order; numbers go to every part)"
    ),
}
"""With what to do where one is gone."""


def is_there(name: str) -> bool:
    """Whether TRL still has it under this name: a module, or what a module defines at its top level."""
    *packages, last = name.split(".")[1:]
    if TRL.joinpath(*packages, f"{last}.py").is_file():
        return True
    module = TRL.joinpath(*packages).with_suffix(".py")
    body = ast.parse(module.read_text()).body if module.is_file() else []
    return last in {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def imports_of_trl(file: Path) -> set[str]:
    """Everything that a file of ours imports from TRL."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and str(node.module).split(".")[0] == "trl":
            found |= {f"{node.module}.{name.name}" for name in node.names}
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.split(".")[0] == "trl"}
    return found


GONE = [f"{name} is gone from TRL: {advice}" for name, advice in NAMES.items() if not is_there(name)]
# Not in a test: one file that cannot be imported keeps pytest from running any test, and others import what is gone.
if GONE:
    pytest.fail("\n".join(GONE), pytrace=False)


def test_nothing_else_is_imported_and_all_by_one_file() -> None:
    found = {file.name: names for file in TRAIN.glob("*.py") if (names := imports_of_trl(file))}
    assert set(found) == {DOOR}, "only grpo.py imports TRL: it keeps vLLM out before it does"
    assert found[DOOR] == NAMES.keys() - {"trl.import_utils.is_vllm_available"}, "pin what is imported above"
