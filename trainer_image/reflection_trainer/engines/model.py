"""Looks at a model's folder before anything heavy starts, so that a wrong one is named in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..startup import unprepare
from .invalid import LOADING_ERRORS, invalid, quoted
from .weights import check_files, check_fit

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


@dataclass(frozen=True)
class ModelFolder:
    """A folder that holds a model in Hugging Face format, looked through but not loaded."""

    path: Path
    uri: str
    """Its name in messages."""
    trust_remote_code: bool
    """Whether Python code that comes with it may run."""
    tokenizer: PreTrainedTokenizerBase
    context_length: int
    """Tokens that the model can attend to."""
    cache_bytes_per_token: int
    """Bytes of keys and values of one token at 4 bytes a number."""
    attention_heads: int
    head_size: int
    """Numbers of one attention head."""


def inspect_model(path: Path, *, uri: str, trust_remote_code: bool = False) -> ModelFolder:
    """Check weights, configuration, tokenizer and chat template; `uri` is the model's name in messages.

    Raises:
        BadConfig: something is missing or damaged (reason InvalidModel).
    """
    check_files(path, uri)
    if trust_remote_code:
        unprepare()  # nobody knows what a model's own code imports
    config = _load_config(path, uri, trust_remote_code)
    tokenizer = _load_tokenizer(path, uri, trust_remote_code)
    check_fit(path, uri, config, trust_remote_code=trust_remote_code)
    return ModelFolder(
        path=path,
        uri=uri,
        trust_remote_code=trust_remote_code,
        tokenizer=tokenizer,
        context_length=_context_length(config, tokenizer),
        cache_bytes_per_token=_cache_bytes_per_token(config),
        attention_heads=int(config.get_text_config().num_attention_heads),
        head_size=_head_size(config),
    )


def _load_config(path: Path, uri: str, trust_remote_code: bool) -> PretrainedConfig:
    from transformers import AutoConfig

    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
    except LOADING_ERRORS as error:
        raise invalid(uri, f"cannot be used: config.json: {quoted(error)}") from error
    return config


def _load_tokenizer(path: Path, uri: str, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            path, trust_remote_code=trust_remote_code, padding_side="left"
        )
    except Exception as error:  # the tokenizers library raises nothing more specific
        raise invalid(uri, f"cannot be used: its tokenizer does not load: {quoted(error)}") from error
    if not tokenizer.chat_template:
        raise invalid(
            uri, "has no chat template: set a tokenizer with a chat template or use an instruct model"
        )
    if tokenizer.eos_token_id is None:
        raise invalid(
            uri, "has a tokenizer without an end token, so that no answer would ever end: set eos_token"
        )
    return tokenizer


def _context_length(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    length = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(length or tokenizer.model_max_length)


def _cache_bytes_per_token(config: PretrainedConfig) -> int:
    text = config.get_text_config()
    key_value_heads = int(getattr(text, "num_key_value_heads", None) or text.num_attention_heads)
    keys_and_values, bytes_per_number = 2, 4
    per_layer = keys_and_values * bytes_per_number * key_value_heads * _head_size(config)
    return int(text.num_hidden_layers) * per_layer


def _head_size(config: PretrainedConfig) -> int:
    text = config.get_text_config()
    return int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
