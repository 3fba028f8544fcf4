"""Looks at a model's folder before anything heavy starts, so that a wrong one is named in a sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reflection_api.reasons import Reason
from safetensors import SafetensorError, safe_open

from ..errors import BadConfig

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

_INDEX = "model.safetensors.index.json"
_LOADING_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError)
"""What transformers raises on damaged or foreign files."""


@dataclass(frozen=True)
class ModelFolder:
    """A folder that holds a model in Hugging Face format, looked through but not loaded."""

    path: Path
    tokenizer: PreTrainedTokenizerBase
    context_length: int
    """Tokens that the model can attend to."""
    cache_bytes_per_token: int
    """Bytes of keys and values of one token at 4 bytes a number."""


def inspect_model(path: Path, *, uri: str, trust_remote_code: bool = False) -> ModelFolder:
    """Check weights, configuration, tokenizer and chat template; `uri` is the model's name in messages.

    Raises:
        BadConfig: something is missing or damaged (reason InvalidModel).
    """
    _check_weights(path, uri)
    config = _load_config(path, uri, trust_remote_code)
    tokenizer = _load_tokenizer(path, uri, trust_remote_code)
    return ModelFolder(
        path=path,
        tokenizer=tokenizer,
        context_length=_context_length(config, tokenizer),
        cache_bytes_per_token=_cache_bytes_per_token(config),
    )


def _check_weights(path: Path, uri: str) -> None:
    files = sorted(path.glob("*.safetensors"))
    index = path / _INDEX
    if index.is_file():
        files = [path / name for name in _indexed_files(index, uri)]
    if not files:
        raise _invalid(uri, "has no weights: there is no *.safetensors file; convert it to safetensors")
    for file in files:
        if not file.is_file():
            raise _invalid(
                uri, f"is incomplete: {_INDEX} names {file.name}, which is missing; copy the model again"
            )
        try:
            with safe_open(file, framework="numpy"):
                pass
        except (SafetensorError, OSError) as error:
            raise _invalid(uri, f"is damaged: {file.name}: {error}; copy the model again") from error


def _indexed_files(index: Path, uri: str) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _invalid(uri, f"is damaged: {_INDEX}: {error}; copy the model again") from error


def _load_config(path: Path, uri: str, trust_remote_code: bool) -> PretrainedConfig:
    from transformers import AutoConfig

    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
    except _LOADING_ERRORS as error:
        raise _invalid(uri, f"cannot be used: config.json: {_first_line(error)}") from error
    return config


def _load_tokenizer(path: Path, uri: str, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            path, trust_remote_code=trust_remote_code, padding_side="left"
        )
    except Exception as error:  # the tokenizers library raises nothing more specific
        raise _invalid(uri, f"cannot be used: its tokenizer does not load: {_first_line(error)}") from error
    if not tokenizer.chat_template:
        raise _invalid(
            uri, "has no chat template: set a tokenizer with a chat template or use an instruct model"
        )
    if tokenizer.eos_token_id is None:
        raise _invalid(
            uri, "has a tokenizer without an end token, so that no answer would ever end: set eos_token"
        )
    return tokenizer


def _context_length(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    length = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(length or tokenizer.model_max_length)


def _cache_bytes_per_token(config: PretrainedConfig) -> int:
    text = config.get_text_config()
    heads = int(text.num_attention_heads)
    key_value_heads = int(getattr(text, "num_key_value_heads", None) or heads)
    head_size = int(getattr(text, "head_dim", None) or text.hidden_size // heads)
    keys_and_values, bytes_per_number = 2, 4
    return keys_and_values * bytes_per_number * int(text.num_hidden_layers) * key_value_heads * head_size


def _invalid(uri: str, what: str) -> BadConfig:
    return BadConfig(f"model {uri} {what}", reason=Reason.INVALID_MODEL)


def _first_line(error: BaseException) -> str:
    text: Any = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
