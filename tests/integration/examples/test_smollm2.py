"""A pretrained model that nobody here made, with its own tokenizer and chat template, through the whole loop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "smollm2"
SCRIPTS = Path(sys.executable).parent

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.training, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smollm2") / "model"
    subprocess.run([sys.executable, str(EXAMPLE / "make_model.py"), "--out", str(folder)], check=True)
    return folder


def test_it_ends_with_a_model_and_its_failures(model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    storage = tmp_path / "storage"
    changes = {
        "spec.model.uri": model.as_uri(),
        "spec.storage.uri": storage.as_uri(),
        "spec.evaluation.attemptsPerPrompt": 1,
        "spec.training.failuresPerStep": 1,
    }
    sets = [word for path, value in changes.items() for word in ("--set", f"{path}={value}")]
    command = [
        SCRIPTS / "reflect", "run", EXAMPLE / "reflectiontraining.yaml", "--workdir", tmp_path / "work", *sets
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    [run] = storage.glob("default/*")
    manifest = json.loads((run / "round-1/verify/manifest.json").read_text())
    assert manifest["provenance"]["sampling"]["engine"] == "vllm"
    failures = [
        row for shard in run.glob("round-1/verify/*.parquet") for row in pq.read_table(shard).to_pylist()
    ]
    assert failures
    capitals = [json.loads(row["row"])["answer"].removesuffix(".").rsplit(" ", 1)[-1] for row in failures]
    assert any(city in row["completion"] for city, row in zip(capitals, failures, strict=True)), (
        "it knows some, but says it in other words: what is judged is its own text, read by its own tokenizer"
    )
    trained = run / "round-1" / "train" / "model"
    template = (model / "chat_template.jinja").read_text()
    assert (trained / "chat_template.jinja").read_text() == template
    tokenizer = AutoTokenizer.from_pretrained(trained)
    assert tokenizer.eos_token == "<|im_end|>"
    before, after = (AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (model, trained))
    assert before.keys() == after.keys()
    lines = (run / "round-1" / "train" / "metrics.jsonl").read_text().splitlines()
    figures = [json.loads(line) for line in lines]
    assert len(figures) == 2
    assert any((before[name] != after[name]).any() for name in before), f"no weight has moved: {figures}"
