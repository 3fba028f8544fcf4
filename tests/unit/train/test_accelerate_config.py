"""What accelerate's launcher is told."""

from __future__ import annotations

import pytest
import yaml
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DeepSpeedPlugin, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env
from reflection_trainer.errors import BadConfig
from reflection_trainer.train.accelerate_config import Rendezvous, accelerate_config, check_installed
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


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Reads a file as accelerate's launcher does, and sets the variables that it would start the processes with."""

    def read(**settings):
        file = tmp_path / "accelerate.yaml"
        file.write_text(accelerate_config(training(**settings), 0, None))
        args, defaults, _ = _validate_launch_command(
            launch_command_parser().parse_args(["--config_file", str(file), "-m", "worker"])
        )
        if args.use_deepspeed:
            args.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
            variables = prepare_deepspeed_cmd_env(args)[1]
        else:
            variables = prepare_multi_gpu_env(args)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return args

    return read


def test_fsdp_is_the_second_version_and_gathers_its_checkpoints(launched):
    args = launched(strategy="fsdp", gpusPerNode=4)
    assert (args.use_fsdp, args.num_processes, args.mixed_precision) == (True, 4, "bf16")
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward) == (2, True)
    assert plugin.state_dict_type.name == "FULL_STATE_DICT"
    assert plugin.auto_wrap_policy.__name__ == "transformer_auto_wrap_policy"
    assert not plugin.cpu_ram_efficient_loading


@pytest.mark.parametrize(("strategy", "stage"), [("deepspeed-zero2", 2), ("deepspeed-zero3", 3)])
def test_deepspeed_accumulates_and_clips_as_the_training_does(launched, strategy, stage):
    args = launched(strategy=strategy, gpusPerNode=4, failuresPerStep=32, microBatchSize=16, maxGradNorm=0.5)
    assert (args.use_deepspeed, args.num_processes) == (True, 4)
    plugin = DeepSpeedPlugin()
    assert plugin.zero_stage == stage
    assert plugin.deepspeed_config["gradient_accumulation_steps"] == 32 * 8 // 4 // 16
    assert plugin.deepspeed_config["gradient_clipping"] == 0.5
    assert plugin.zero3_save_16bit_model is (stage == 3)
    assert not plugin.zero3_init_flag


def test_one_gpu_goes_through_torchs_launcher_where_it_is_shared_out():
    assert rendered(gpusPerNode=1)["distributed_type"] == "NO"
    assert rendered(gpusPerNode=1, strategy="fsdp")["distributed_type"] == "FSDP"


def test_deepspeed_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("reflection_trainer.train.accelerate_config.find_spec", lambda _: None)
    with pytest.raises(BadConfig, match=r"spec.training.strategy: deepspeed-zero2 needs DeepSpeed") as found:
        check_installed("deepspeed-zero2")
    assert found.value.exit_code == 78
    check_installed("ddp")
    check_installed("fsdp")


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
