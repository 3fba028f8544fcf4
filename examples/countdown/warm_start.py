"""Plain supervised training of the tiny model on the synthetic conversations of transcripts.py."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from questions import OPERATORS, split_questions
from transcripts import Habits, transcript
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from vocabulary import CONTEXT_LENGTH, LINE_BREAK, TURN_END, TURN_START

IGNORED_LABEL = -100
"""What transformers leaves out of the loss."""
_BATCHES_OF_A_LOSS = 20
_SEED_OF_A_LOSS = 1_000_003


@dataclass(frozen=True)
class WarmStart:
    """The settings of the training. The same settings on the same kind of processor give the same weights."""

    steps: int = 1200
    seed: int = 0
    batch_size: int = 96
    learning_rate: float = 1.5e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    habits: Habits = field(default_factory=Habits)


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A freshly initialised Llama of 0.7 million parameters, in fp32.

    Llama, because with ``model_type: qwen2`` AutoTokenizer replaces a word-level tokenizer by Qwen's own.
    """
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT_LENGTH,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def train(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, settings: WarmStart
) -> Iterator[float]:
    """Trains the model in place, one step for each loss that is taken."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.steps, pct_start=settings.warmup_share
    )
    for batch in batches(tokenizer, settings, settings.seed):
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        yield loss.item()


@torch.inference_mode()
def loss_of(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> float:
    """Mean loss over conversations that are the same for every model, drawn otherwise than those of a training."""
    drawn = batches(tokenizer, WarmStart(steps=_BATCHES_OF_A_LOSS), _SEED_OF_A_LOSS)
    return statistics.mean(model(**batch).loss.item() for batch in drawn)


def batches(
    tokenizer: PreTrainedTokenizerFast, settings: WarmStart, seed: int
) -> Iterator[dict[str, torch.Tensor]]:
    """One batch per step: ids, mask and labels, each ``(batch_size, longest)``, padded on the right.

    Operators are drawn evenly, because there are far fewer divisions than multiplications.
    """
    train_questions, _ = split_questions()
    by_operator = {op: [q for q in train_questions if q.operator == op] for op in OPERATORS}
    rng = random.Random(seed)
    for _ in range(settings.steps):
        questions = [rng.choice(by_operator[rng.choice(OPERATORS)]) for _ in range(settings.batch_size)]
        batch = tokenizer.apply_chat_template(
            [transcript(question, rng, settings.habits) for question in questions],
            padding=True,
            return_dict=True,
            return_tensors="pt",
            tokenizer_kwargs={"padding_side": "right"},
        )
        ids, mask = batch["input_ids"], batch["attention_mask"]
        yield {"input_ids": ids, "attention_mask": mask, "labels": assistant_labels(tokenizer, ids)}


def assistant_labels(tokenizer: PreTrainedTokenizerFast, input_ids: torch.Tensor) -> torch.Tensor:
    """The ids ``(batch, length)`` with all but the assistant's words and the ends of its turns ignored."""
    header = tokenizer.convert_tokens_to_ids([TURN_START, "assistant", LINE_BREAK])
    end = tokenizer.convert_tokens_to_ids(TURN_END)
    labels = torch.full_like(input_ids, IGNORED_LABEL)
    for row, ids in enumerate(input_ids.tolist()):
        speaking = False
        for column, token in enumerate(ids):
            if speaking:
                labels[row, column] = token
            if token == end:
                speaking = False
            elif ids[max(column - 2, 0) : column + 1] == header:
                speaking = True
    return labels
