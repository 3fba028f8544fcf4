"""What accelerate's launcher is told."""

from __future__ import annotations

import pytest
import yaml
from reflection_trainer.train.accelerate_config import Rendezvous, accelerate_config
from reflection_trainer.train.launcher import environment
from reflection_trainer.train.order import WorkOrder

from .contexts import config, training


def rendered(node=0, rendezvous=None, **settings):
    return yaml.safe_load(accelerate_config(training(**settings), node, rendezvous))


def test_one_process_needs_no_rendezvous():
    assert rendered() == {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "NO",
        "use_cpu": True,
        "mixed_precision": "no",
        "num_machines": 1,
        "machine_rank": 0,
        "num_processes": 1,
        "main_training_function": "main",
        "main_process_port": 0,
    }


@pytest.mark.parametrize(
    ("settings", "processes", "cpu", "precision"),
    [
        ({"processesPerNode": 2}, 2, True, "no"),
        ({"processesPerNode": 2, "precision": "bf16"}, 2, True, "bf16"),
        ({"gpusPerNode": 8}, 8, False, "bf16"),
        ({"gpusPerNode": 8, "processesPerNode": 4, "precision": "fp32"}, 4, False, "no"),
    ],
)
def test_several_processes_go_through_torchs_launcher_on_cpus_too(settings, processes, cpu, precision):
    found = rendered(**settings)
    assert found["distributed_type"] == "MULTI_GPU"
    assert (found["num_processes"], found["use_cpu"], found["mixed_precision"]) == (processes, cpu, precision)


def test_several_machines_are_told_where_to_meet():
    found = rendered(1, Rendezvous("run-train-1-0.run-train-1", 29500), nodes=2, gpusPerNode=4)
    assert (found["num_machines"], found["machine_rank"], found["num_processes"]) == (2, 1, 8)
    assert (found["main_process_ip"], found["main_process_port"]) == ("run-train-1-0.run-train-1", 29500)
    assert (found["rdzv_backend"], found["same_network"]) == ("static", True)


def order(tmp_path, **settings):
    return WorkOrder(
        config=config(tmp_path, **settings),
        node=0,
        policy=tmp_path,
        failures=tmp_path,
        output=tmp_path,
        control=tmp_path,
    )


@pytest.mark.parametrize(("processes", "threads"), [(1, "4"), (2, "2"), (4, "1"), (8, "1")])
def test_processes_share_the_processors(tmp_path, monkeypatch, processes, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert environment(order(tmp_path, processesPerNode=processes))["OMP_NUM_THREADS"] == threads


def test_a_training_on_cpus_sees_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    on_cpu = environment(order(tmp_path))
    assert (on_cpu["CUDA_VISIBLE_DEVICES"], on_cpu["ACCELERATE_USE_CPU"]) == ("", "true")
    on_gpu = environment(order(tmp_path, gpusPerNode=2))
    assert on_gpu["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert on_cpu["ACCELERATE_TORCH_DEVICE"] == "cpu"
    assert not {"ACCELERATE_USE_CPU", "ACCELERATE_TORCH_DEVICE"} & set(on_gpu)


def test_vllm_in_a_training_on_cpus_finds_its_variables_set(tmp_path, monkeypatch):
    monkeypatch.setenv("VLLM_HOST_IP", "127.0.0.2")
    monkeypatch.delenv("TORCHDYNAMO_DISABLE", raising=False)  # an engine in this process sets it
    found = environment(order(tmp_path, generation="colocate"))
    assert (found["VLLM_HOST_IP"], found["TORCHDYNAMO_DISABLE"]) == ("127.0.0.2", "1")
    assert "TORCHDYNAMO_DISABLE" not in environment(order(tmp_path, generation="colocate", gpusPerNode=1))
    assert "TORCHDYNAMO_DISABLE" not in environment(order(tmp_path))


def test_the_training_never_reaches_for_a_hub(tmp_path):
    assert environment(order(tmp_path))["HF_HUB_OFFLINE"] == "1"
