"""Which run a working folder belongs to, and what a later call may change."""

from __future__ import annotations

from pathlib import Path

import pytest
from reflection_api.status import Phase
from reflection_api.validation import InvalidResources
from reflection_operator.local.records import Records, WorkdirUnusable
from reflection_operator.local.resource import accept, default_workdir, load

from .runs import remember_end, write_task


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "work")


def test_every_name_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """The files of all examples have the same name, and are run from the same folder."""
    one, two = (load(write_task(tmp_path / name, name=name), []) for name in ("one", "two"))
    assert default_workdir(one) == Path(".reflect/default-one")
    assert default_workdir(two) == Path(".reflect/default-two")
    elsewhere = load(write_task(tmp_path / "three", name="one", namespace="team"), [])
    assert default_workdir(elsewhere) == Path(".reflect/team-one")


def test_a_container_is_not_started_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = {"uri": "file://./train.jsonl"}
    file = write_task(tmp_path, task={"prompts": prompts, "verifier": {"container": {"image": "judge:1"}}})
    with pytest.raises(InvalidResources) as refused:
        load(file, [])
    assert str(refused.value) == (
        f"{file}: spec.task.verifier.container: no container is started here: start the service yourself and name its "
        "address, for example REFLECT_VERIFIER_URL=http://127.0.0.1:8080"
    )
    monkeypatch.setenv("REFLECT_VERIFIER_URL", "http://127.0.0.1:8080")
    assert load(file, []).spec.task.verifier.name == "container"


def test_the_same_call_carries_on_with_the_same_identity(tmp_path: Path, records: Records) -> None:
    file = write_task(tmp_path)
    first = accept(load(file, []), records, file)
    assert len(first.metadata.uid) == 32
    assert accept(load(file, []), records, file) == first


@pytest.mark.parametrize("other", [{"name": "large"}, {"namespace": "team"}])
@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_a_folder_belongs_to_one_run(
    tmp_path: Path, records: Records, other: dict[str, str], phase: Phase
) -> None:
    file = write_task(tmp_path)
    accept(load(file, []), records, file)
    remember_end(records, phase=phase)
    before = records.resource.read_bytes()
    file = write_task(tmp_path, **other)
    here = {"namespace": "default", "name": "tiny"} | other
    with pytest.raises(WorkdirUnusable) as caught:
        accept(load(file, []), records, file)
    assert str(caught.value) == (
        f"--workdir {records.workdir}: belongs to the run default/tiny, and this is "
        f"{here['namespace']}/{here['name']}; give another folder, or remove that one if its run is no longer wanted"
    )
    assert records.resource.read_bytes() == before


@pytest.mark.parametrize("text", ['{"spec": 1}', "[1]", '"text"'])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, records: Records, text: str) -> None:
    records.resource.write_text(text)
    file = write_task(tmp_path)
    with pytest.raises(WorkdirUnusable, match=r"resource\.json there is not what `reflect run`"):
        accept(load(file, []), records, file)
    assert records.resource.read_text() == text


def test_a_change_that_cannot_be_made_names_field_and_remedy(tmp_path: Path, records: Records) -> None:
    file = write_task(tmp_path)
    accept(load(file, []), records, file)
    with pytest.raises(InvalidResources) as caught:
        accept(load(file, ["spec.training.maxSteps=9"]), records, file)
    assert str(caught.value) == (
        f"{file}: spec.training: cannot change once a run has begun: give another --workdir for a run with the changed value "
        "(changed: maxSteps 1000 -> 9)"
    )


def test_a_change_that_can_be_made_is_a_new_generation(tmp_path: Path, records: Records) -> None:
    file = write_task(tmp_path)
    accept(load(file, []), records, file)
    changed = accept(load(file, ["spec.failurePolicy.maxRestarts=9"]), records, file)
    assert changed.metadata.generation == 2
    assert changed.spec.failure_policy.max_restarts == 9


def test_a_failed_run_begins_again_also_with_other_fields(tmp_path: Path, records: Records) -> None:
    file = write_task(tmp_path)
    accept(load(file, []), records, file)
    remember_end(records, phase=Phase.FAILED, reason="InvalidModel")
    (records.workdir / "jobs/old").mkdir(parents=True)
    again = accept(load(file, ["spec.training.maxSteps=9"]), records, file)
    assert again.status is None
    assert again.spec.training.max_steps == 9
    assert not (records.workdir / "jobs").exists()
