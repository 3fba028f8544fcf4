"""Make the tiny Countdown model, its tokenizer and its prompt files: a few minutes on one core, nothing downloaded.

Two runs with the same seed on the same machine write the same bytes. Other processors round differently, which a training
carries on: made_with.json says how the training began, how well the model ended, and which libraries made it.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from questions import write_prompts
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging
from vocabulary import build_tokenizer
from warm_start import WarmStart, build_model, loss_of, train

HERE = Path(__file__).resolve().parent
RECORD = "made_with.json"
LIBRARIES = ("safetensors", "tokenizers", "torch", "transformers")
FIRST_STEPS = 10
LAST_STEPS = 50


def make(settings: WarmStart, out: Path) -> list[float]:
    """Writes ``out/prompts``, ``out/model`` and ``out/made_with.json``; returns the loss of every step."""
    torch.set_num_threads(1)  # more threads add in another order, which gives other bytes
    tokenizer = build_tokenizer()
    model = build_model(tokenizer, settings.seed)
    losses = _train_with_progress_bar(model, tokenizer, settings)
    write_prompts(out / "prompts")
    model.save_pretrained(out / "model")
    build_tokenizer().save_pretrained(out / "model")  # the one that padded batches would save that, too
    record = made_with(settings, losses, loss_of(model.eval(), tokenizer))
    (out / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    return losses


def made_with(settings: WarmStart, losses: list[float], loss: float) -> dict[str, object]:
    """What a model that is made again can be compared with."""
    return {
        "steps": settings.steps,
        "seed": settings.seed,
        "firstLosses": [round(value, 4) for value in losses[:FIRST_STEPS]],
        "loss": round(loss, 4),
        "versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in LIBRARIES},
        },
    }


def _train_with_progress_bar(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, settings: WarmStart
) -> list[float]:
    losses: list[float] = []
    text = TextColumn("warm start  loss {task.fields[loss]:.3f}")
    with Progress(
        text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), disable=not sys.stdout.isatty()
    ) as bar:
        task = bar.add_task("", total=settings.steps, loss=float("nan"))
        for loss in train(model, tokenizer, settings):
            losses.append(loss)
            bar.update(task, advance=1, loss=loss)
    return losses


def main() -> None:
    """Parses the command line and makes the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=HERE, help="where all of it goes (default: here)")
    parser.add_argument("--steps", type=_positive, default=WarmStart.steps, help="default: %(default)s")
    parser.add_argument(
        "--seed", type=int, default=WarmStart.seed, help="of weights and data; default: %(default)s"
    )
    arguments = parser.parse_args()
    transformers_logging.disable_progress_bar()
    losses = make(WarmStart(steps=arguments.steps, seed=arguments.seed), arguments.out)
    last = losses[-LAST_STEPS:]
    print(f"{arguments.out}: loss {sum(last) / len(last):.3f} over the last {len(last)} steps")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few: at least 1 step")
    return number


if __name__ == "__main__":
    main()
