"""The example of an own verifier: its README to the letter, its resources, and a stage that asks it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from reflection_api.validation import load_resources

from ...support.own_verifier import EXAMPLE, own_verifier
from ...support.pages import fences
from ...support.shell import in_shell
from ..docs.sessions import commands

README = EXAMPLE / "README.md"
RESOURCE = EXAMPLE / "reflectiontraining.yaml"
SESSIONS = [
    command for fence in fences(README) if fence.language == "console" for command in commands(fence.text)
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with own_verifier() as url:
        yield url


@pytest.mark.parametrize("command", SESSIONS, ids=lambda command: command.words.split()[1])
def test_the_readme_is_right(command, address: str) -> None:
    done = in_shell(command.words.replace("http://127.0.0.1:8080", address), EXAMPLE)
    assert done.stdout.splitlines() == command.output
    assert done.returncode == 0


def test_the_resource_asks_the_service_that_the_readme_starts() -> None:
    [resource] = load_resources(RESOURCE, local=True)
    assert resource.spec.task.verifier.words == "http://127.0.0.1:8080"
    assert "PORT=8080 python service.py" in {fence.text.strip() for fence in fences(README)}


def test_the_parts_of_a_resource_in_the_readme_are_valid() -> None:
    parts = [fence.text for fence in fences(README) if fence.language == "yaml"]
    whole = yaml.safe_load(RESOURCE.read_text())
    spec = whole["spec"]
    for place in (spec["model"], spec["task"]["prompts"], spec["storage"]):
        place["uri"] = "s3://team/sums" + place["uri"].removeprefix("file://.").replace("/..", "")
    found = []
    for part in parts:
        spec["task"]["verifier"] = yaml.safe_load(part)["spec"]["task"]["verifier"]
        [resource] = load_resources(yaml.safe_dump(whole), local=False)
        found.append(resource.spec.task.verifier.words)
    assert found == ["registry.example/sums:1", "https://sums.ml:8443"]


def test_it_is_what_the_openapi_file_describes(address: str, tmp_path: Path) -> None:
    """Any request that the file describes, and any that it does not, made up by schemathesis."""
    command = [
        Path(sys.executable).parent / "schemathesis",
        "run",
        EXAMPLE / "openapi.json",
        "--url",
        address,
    ]
    command += ["--max-examples", "15", "--seed", "0", "--no-color"]
    # What a row must hold is this verifier's own, and no matter of the file.
    command += ["--exclude-checks", "positive_data_acceptance"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Tested: 2" in done.stdout


def test_the_gold_answers_are_right(address: str) -> None:
    rows = [json.loads(line) for line in (EXAMPLE / "prompts.jsonl").read_text().splitlines()]
    items = "\n".join(
        json.dumps({"id": str(number), "completion": row["gold"], "row": row})
        for number, row in enumerate(rows)
    )
    done = in_shell(f"reflect verify --http {address} <<< '{items}'", EXAMPLE)
    assert done.stdout.splitlines()[-1] == f"{len(rows)} items: correct {len(rows)} (100.0%)"


def test_the_image_holds_what_the_service_needs() -> None:
    copied = (EXAMPLE / "Dockerfile").read_text().split("COPY ")[1].split("\n")[0].split()
    assert copied[-1] == "./"
    assert {*copied[:-1]} == {"service.py", "openapi.json"}
