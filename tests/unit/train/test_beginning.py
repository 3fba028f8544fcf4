"""What the log says about where a training begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from reflection_trainer.train import machine
from reflection_trainer.train.machine import note_machine
from reflection_trainer.train.stage import beginning

from ...integration.train import tiny

CHECKPOINT = Path("/work/checkpoint-50")


def test_a_first_attempt() -> None:
    assert beginning(None, tiny.training(gpusPerNode=1)) == "from the beginning"


def test_on_processors_the_rest_is_the_same_to_the_last_bit() -> None:
    assert beginning(CHECKPOINT, tiny.training()) == "going on from checkpoint-50"


def test_with_other_threads_or_another_processor_it_is_said_that_it_is_not(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    two = tiny.training(processesPerNode=2)
    note_machine(tmp_path)
    assert beginning(tmp_path, tiny.training()) == f"going on from {tmp_path.name}"
    assert beginning(tmp_path, two).startswith(
        f"going on from {tmp_path.name}; it was made with 4 threads of "
    )
    assert " a process, here are 2 threads of " in beginning(tmp_path, two)
    monkeypatch.setattr(machine, "_processor", lambda: "another")
    assert beginning(tmp_path, tiny.training()).endswith(
        "here are 4 threads of another: sums come out a little different: it ends alike, not bit for bit the same"
    )


CPUINFO = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: {family}
model\t\t: {model}
model name\t: AMD EPYC
stepping\t: 1

processor\t: 1
cpu family\t: 1
model\t\t: 1
model name\t: another
"""


@pytest.mark.parametrize(("family", "model"), [(26, 17), (25, 1)])
def test_two_generations_of_one_name_are_told_apart(tmp_path, monkeypatch, family, model) -> None:
    monkeypatch.setattr(machine, "_CPUS", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(CPUINFO.format(family=25, model=17))
    note_machine(tmp_path)
    assert beginning(tmp_path, tiny.training()) == f"going on from {tmp_path.name}"
    (tmp_path / "cpuinfo").write_text(CPUINFO.format(family=family, model=model))
    found = beginning(tmp_path, tiny.training())
    assert "of AMD EPYC (family 25, model 17) a process, here are" in found
    assert f"of AMD EPYC (family {family}, model {model}): sums come out a little different" in found


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("BogoMIPS\t: 100.00\n", ""),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", " (CPU implementer 0x41, CPU part 0xd0c)"),
    ],
    ids=["nothing", "Arm"],
)
def test_a_processor_without_a_name_is_known_by_what_it_tells(tmp_path, monkeypatch, told, kind) -> None:
    monkeypatch.setattr(machine, "_CPUS", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n" + told)
    assert machine.this_machine(1) == f"1 thread of {machine.platform.machine()}{kind}"


def test_on_gpus_it_is_said_that_it_is_not() -> None:
    assert beginning(CHECKPOINT, tiny.training(gpusPerNode=1)).endswith(
        "it ends alike, not bit for bit the same"
    )
