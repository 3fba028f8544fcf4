"""The policy: loaded for training, and written in the form that others load."""

from __future__ import annotations

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, PeftModel
from reflection_api.reasons import Reason
from reflection_api.spec import LoraSpec
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from ..errors import BadConfig, first_line, is_out_of_memory
from .weights import whole_state

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Policy:
    """A model in training, with what its folder says about it."""

    model: PreTrainedModel
    config: PretrainedConfig
    """As it was in the folder: training changes the model's own."""
    generation_config: GenerationConfig
    dtype: torch.dtype
    """Type of the numbers in the folder."""


def load_policy(folder: Path, *, uri: str, trust_remote_code: bool) -> Policy:
    """Load a model in fp32: optimizer steps are far smaller than bf16 can add to a weight.

    Raises:
        BadConfig: the model cannot be loaded for text generation (reason InvalidModel).
    """
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
        model = AutoModelForCausalLM.from_pretrained(
            folder, config=_without_dropout(config), dtype=torch.float32, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise BadConfig(
            f"spec.model.uri: {uri} cannot be trained: {first_line(error)}; give a model that AutoModelForCausalLM loads",
            reason=Reason.INVALID_MODEL,
        ) from error
    return Policy(
        model=model,
        config=copy.deepcopy(config),
        generation_config=copy.deepcopy(model.generation_config),
        dtype=_stored_dtype(config),
    )


def lora_config(lora: LoraSpec, model: PreTrainedModel) -> LoraConfig:
    """The adapters' configuration, checked against the model's layers.

    Raises:
        BadConfig: a target is not a linear layer of the model, or is its head (reason InvalidSpec).
    """
    layers = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    layers -= {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if module is head}
    for target in lora.target_modules:
        if target not in layers:
            raise BadConfig(
                f"spec.training.lora.targetModules: {target}: the model has no linear layer of that name, its head aside; "
                f"it has {', '.join(sorted(layers))}",
                reason=Reason.INVALID_SPEC,
            )
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=0.0,  # it would be active while reflections are sampled
        target_modules=lora.target_modules or "all-linear",
        task_type="CAUSAL_LM",
    )


def save_policy(
    policy: Policy,
    trained: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    source: Path,
    folder: Path | None,
) -> None:
    """Write the trained model in Hugging Face format, adapters merged, numbers of the type that the model came with.

    All processes of a training take part, since each may hold a part of the weights. Only the one with a `folder` writes.
    """
    state = whole_state(trained, policy.dtype, keep=folder is not None)
    if folder is None:
        return
    model: Any = trained.base_model.model if isinstance(trained, PeftModel) else trained
    model.config, model.generation_config = policy.config, policy.generation_config
    model.save_pretrained(folder, state_dict=state)
    # It has noted the type of the numbers in training.
    policy.config.dtype = policy.dtype
    policy.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for code in source.glob("*.py"):  # a model whose code came with it needs it wherever it goes
        shutil.copyfile(code, folder / code.name)


def _without_dropout(config: PretrainedConfig) -> PretrainedConfig:
    """A copy with every dropout off. Reflections are sampled in training mode, and some models read theirs from here."""
    changed = copy.deepcopy(config)
    for name, value in vars(config.get_text_config()).items():
        if ("dropout" in name or name.endswith("pdrop")) and isinstance(value, float):
            setattr(changed.get_text_config(), name, 0.0)
    return changed


def _stored_dtype(config: PretrainedConfig) -> torch.dtype:
    dtype = getattr(config, "dtype", None)
    return dtype if isinstance(dtype, torch.dtype) else torch.float32
