"""A model so small that a step takes milliseconds, untrained, on a task that it sometimes gets right by chance.

The vocabulary has twelve words, so a sampled retry of one or two tokens equals the one-word answer often enough for groups with
both rewards: all that a gradient needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from reflection_api.contract import RunRef, StageConfig, TrainingSettings
from reflection_api.layout import shard_name
from reflection_api.manifests import Provenance
from reflection_api.spec import TrainingSpec
from reflection_api.stages import Stage
from reflection_operator.children.resolve import resolve_training
from reflection_trainer.context import StageContext
from reflection_trainer.provenance import policy_provenance, settings_provenance
from reflection_trainer.verify.configured import task_verifier
from reflection_trainer.verify.dataset import SCHEMA, STEM
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<unk>", "<|im_start|>", "<|im_end|>")
WORDS = ("user", "assistant", "say", "wrong", "red", "green", "blue", "one")
COLOURS = ("red", "green", "blue")
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|> {{ m['role'] }} {{ m['content'] }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="<|im_end|>",
        padding_side="left",
        chat_template=CHAT_TEMPLATE,
    )


def write_model(
    folder: Path, *, context: int = 64, dtype: torch.dtype = torch.float32, width: int = 16, **config: object
) -> Path:
    """Write it; `width` is that of its hidden states: with 384 its optimizer's state takes 24 MB."""
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.1,
            **config,
        )
    )
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def training(**changes: object) -> TrainingSettings:
    spec = {
        "failuresPerStep": 4,
        "maxSteps": 2,
        "learningRate": 1e-2,
        "scheduler": "constant",
        "warmupRatio": 0,
        "gradientCheckpointing": False,
        "reflectionMaxTokens": 8,
        "retryMaxTokens": 2,
        "checkpoint": {"everySteps": 100},
    } | changes
    values = TrainingSpec.model_validate(spec)
    return resolve_training(values).model_copy(
        update={
            "generation": values.generation or "transformers",
            "precision": values.precision or "fp32",
        }
    )


def config(model: Path, storage: Path, **changes: object) -> StageConfig:
    """The stage's configuration; `training` takes the changes to `training()`."""
    spec = {"uri": f"file://{model}"}
    return StageConfig.model_validate(
        {
            "stage": "train",
            "run": RunRef(namespace="default", name="tiny", uid="0123456789"),
            "round": 1,
            "rounds": 1,
            "attempt": 1,
            "model": spec,
            "policy": spec,
            "task": {
                "prompts": {"uri": "file:///prompts.jsonl"},
                "verifier": {"builtin": {"name": "exact"}},
                "templates": {"reflection": "wrong", "retry": "{{ question }}"},
            },
            "rollout": {},
            "training": training(**changes),
            "evaluation": {},
            "storage": {"uri": f"file://{storage}"},
        }
    )


def failures(count: int) -> list[dict[str, object]]:
    rows = []
    for number in range(count):
        colour = COLOURS[number % len(COLOURS)]
        rows.append(
            {
                "id": f"{number:04d}/0",
                "messages": [{"role": "user", "content": f"say {colour}"}],
                "completion": "one",
                "reason": "wrong_answer",
                "attempt": 0,
                "seed": number,
                "row": json.dumps({"answer": colour}),
            }
        )
    return rows


def store_failures(context: StageContext, model: Path, rows: list[dict[str, object]]) -> Provenance:
    """The dataset of failures in storage, as the verify stage leaves it."""
    return store_shards(context, model, [rows])


def store_shards(
    context: StageContext, model: Path, shards: Sequence[Iterable[dict[str, object]]]
) -> Provenance:
    """The same in several shards."""
    verifier = task_verifier(context.config.task)
    settings = settings_provenance(context.config, verifier)
    prompts = settings.prompts | {"sha256": "0" * 64}
    origin = settings.model_copy(update={**policy_provenance(context.config, model), "prompts": prompts})
    entries, local = [], context.workdir / "shard.parquet"
    for index, rows in enumerate(shards):
        table, name = pa.Table.from_pylist(list(rows), schema=SCHEMA), shard_name(STEM, index, len(shards))
        pq.write_table(table, local)
        path = context.path(Stage.VERIFY, name)
        context.artifacts.put_file(local, path, kind="failures", rows=table.num_rows, provenance=origin)
        entries += context.artifacts.manifest_of_file(path).files
    total = sum(entry.rows or 0 for entry in entries)
    context.artifacts.seal_folder(
        context.path(Stage.VERIFY), entries, kind="failures", rows=total, provenance=origin
    )
    return origin
