"""What our rollout costs beside bare vLLM: tokens per second on the same prompts, with the example's model.

    make bench ONLY=rollout                 minutes on two cores; needs vLLM

One engine does both. Ours is the rollout stage's own work once the engine is up: conversations rendered and tokenized, seeds
derived, answers sampled shard after shard, written as Parquet and stored with manifests. Bare vLLM gets the same prompts as
token ids and the same sampling settings, all at once. Rounds take turns, each begins with an empty prefix cache, and both must
generate the same number of tokens, or nothing is reported. A third kind of round has no seed for each answer: beside it stands
what it costs that an answer does not depend on its neighbours.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from _records import ROOT, metric, write
from reflection_api.stages import Stage
from reflection_api.validation import load_resources
from reflection_operator.children.resolve import stage_config
from reflection_trainer.context import StageContext
from reflection_trainer.engines import open_engine
from reflection_trainer.engines.engine import encoded
from reflection_trainer.engines.model import inspect_model
from reflection_trainer.provenance import dataset_provenance
from reflection_trainer.rollout.questions import questions_of
from reflection_trainer.rollout.shards import attempts_of
from reflection_trainer.rollout.stage import Rollout
from reflection_trainer.storage import Artifacts, open_store
from reflection_trainer.verify.configured import task_verifier

EXAMPLE = ROOT / "examples" / "countdown"
AIM = 0.97

Round = Callable[[int], int]
"""Does the whole work once and says how many tokens were generated; its argument is the round's number."""


def main() -> int:
    """Measure, write build/bench/rollout.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=80, help="least time of each kind (default 80)")
    parser.add_argument("--attempts", type=int, default=32, help="answers to each question (default 32)")
    parser.add_argument("--prompts", type=int, default=0, help="questions (default: all)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REFLECT_PROGRESS"] = str(Path(folder, "progress.json"))
        found = measure(Path(folder), arguments.attempts, arguments.prompts, arguments.seconds)
    ratios = [a["rate"] / b["rate"] for a, b in zip(found["ours"], found["bare"], strict=True)]
    metrics = [metric("tokens per second against bare vLLM", statistics.median(ratios), "ratio", ">=", AIM)]
    stated = {"bare vLLM with a seed for each answer, of its rate without": f"{with_seeds(found):.3f}"}
    write("rollout", metrics, {"stated": stated, "ratios": ratios, "rounds": found})
    return 0


def measure(folder: Path, attempts: int, prompts: int, seconds: float) -> dict[str, list[dict[str, float]]]:
    """Tokens per second of every round, by kind, until each kind took that many seconds."""
    settings = [f"spec.rollout.attemptsPerPrompt={attempts}", f"spec.storage.uri={folder.as_uri()}"]
    settings += [f"spec.task.prompts.limit={prompts}"] if prompts else []
    (resource,) = load_resources(EXAMPLE / "reflectiontraining.yaml", local=True, settings=settings)
    model = inspect_model(EXAMPLE / "model", uri="file://model")
    with closing(open_engine("vllm", model, max_model_len=128)) as engine:
        kinds = rounds(resource, folder, model.path, engine)
        for kind in kinds.values():
            kind(0)  # warms up
        found: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
        number = 0
        while min(sum(each["seconds"] for each in done) for done in found.values()) < seconds:
            number += 1
            for name, kind in kinds.items():
                started = time.perf_counter()
                tokens = kind(number)
                took = time.perf_counter() - started
                found[name].append({"tokens": tokens, "seconds": took, "rate": tokens / took})
            print(", ".join(f"{name} {done[-1]['rate']:.0f} tokens/s" for name, done in found.items()))
    if len({each["tokens"] for kind in ("ours", "bare") for each in found[kind]}) != 1:
        sys.exit("ours and bare vLLM generated different numbers of tokens: the work was not the same")
    return found


def with_seeds(found: dict[str, list[dict[str, float]]]) -> float:
    """Tokens per second of bare vLLM with a seed for each answer, of those without."""
    pairs = zip(found["bare"], found["bare without seeds"], strict=True)
    return statistics.median(one["rate"] / other["rate"] for one, other in pairs)


def rounds(resource: Any, folder: Path, policy: Path, engine: Any) -> dict[str, Round]:
    """The three kinds of round."""
    config = stage_config(resource, 1, Stage.ROLLOUT, 1)
    prompts_file = EXAMPLE / "prompts" / "train.jsonl"
    verifier = task_verifier(config.task)
    provenance = dataset_provenance(config, verifier, model_dir=policy, prompts_file=prompts_file)
    questions = questions_of(config, prompts_file, verifier).training

    def ours(number: int) -> int:
        run = config.run.model_copy(update={"uid": f"{number:08d}"})
        again = config.model_copy(update={"run": run})
        context = StageContext(again, Artifacts(open_store(again.run_uri)), folder, 0)
        rollout = Rollout(context, questions, provenance)
        for shard in rollout._missing:
            rollout._make(shard, engine)
        return rollout._counts["tokens"]

    prompts, seeds = [], []
    plan = Rollout(
        StageContext(config, Artifacts(open_store(config.run_uri)), folder, 0), questions, provenance
    )
    for shard in plan._shards:
        tried = attempts_of(shard, config.rollout.attempts_per_prompt, config.rollout.sampling.seed)
        own = [attempt.seed for attempt in tried]
        prompts += encoded(
            engine.tokenizer,
            [attempt.question.messages for attempt in tried],
            config.rollout.sampling,
            own,
            engine.context_length,
        )
        seeds += own

    def bare(number: int) -> int:
        return generate(engine, prompts, seeds, config.rollout.sampling, number)

    def unseeded(number: int) -> int:
        return generate(engine, prompts, [None] * len(prompts), config.rollout.sampling, number)

    return {"ours": ours, "bare": bare, "bare without seeds": unseeded}


def generate(engine: Any, prompts: list[list[int]], seeds: list[Any], sampling: Any, number: int) -> int:
    """As vLLM's own offline class: all requests at once, then steps until none is left."""
    import vllm
    from vllm.sampling_params import RequestOutputKind

    inside = engine._engine
    inside.reset_prefix_cache()
    for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
        parameters = vllm.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            seed=seed,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        [rendered] = inside.renderer.render_cmpl([vllm.TokensPrompt(prompt_token_ids=prompt)])
        inside.add_request(f"{number}-{index}", rendered, parameters)
    tokens = 0
    while inside.has_unfinished_requests():
        tokens += sum(len(output.outputs[0].token_ids) for output in inside.step() if output.finished)
    return tokens


if __name__ == "__main__":
    sys.exit(main())
