"""Reports written by hand: plain ones, and such as hold the worst that a model can write."""

from __future__ import annotations

from reflection_api.evaluation import EvaluationResult
from reflection_trainer.report.content import Outcomes, Phrase, Report, Round, Transcript
from reflection_trainer.report.gather import summarised

HOSTILE = "``` </td><script>alert(1)</script> | ![x](http://evil.example/x.png) \x1b[31m\u202e\n\n# Heading\n"
BIDI = "\u202e\u2066\u200f"
WORST = (
    "</script><script>alert(1)</script><!--<script> <img src=x onerror=alert(2)> ]]> \u2028\u2029 "
    + BIDI
    + " \x00\x1b[31m \ufeff &lt;b&gt; ' \" ` \\u003c/script> {{ 7*7 }} ${7*7}"
)


def comparison(base, trained, low, high, questions=214, samples=1070, p=0.0001):
    return {
        "base": base, "trained": trained, "change": round(trained - base, 3), "interval": [low, high],
        "questions": questions, "samples": samples, "pValue": p,
    }  # fmt: skip


def contrast(reflection, control, low, high, p=0.0001):
    return {
        "reflection": reflection, "control": control, "difference": round(reflection - control, 3),
        "interval": [low, high], "questions": 190, "samples": 713, "pValue": p,
    }  # fmt: skip


def against(other, trained, low, high, p=0.0001):
    return {
        "other": other, "trained": trained, "difference": round(trained - other, 3),
        "interval": [low, high], "questions": 190, "samples": 713, "pValue": p,
    }  # fmt: skip


RESULT = {
    "firstTry": comparison(0.328, 0.402, 0.041, 0.108),
    "secondTry": comparison(0.509, 0.809, 0.262, 0.338),
    "retrySuccess": comparison(0.274, 0.779, 0.468, 0.541, 190, 713),
    "withoutLeaks": comparison(0.274, 0.731, 0.42, 0.493, 190, 713),
    "freshTry": comparison(0.368, 0.408, 0.003, 0.078, 190, 713, p=0.0312),
    "shuffled": comparison(0.241, 0.284, 0.001, 0.085, 190, 713, p=None),
    "reflectionAgainstFresh": contrast(0.779, 0.408, 0.33, 0.41),
    "plainRetry": comparison(0.352, 0.381, -0.004, 0.062, 190, 713, p=0.0871),
    "genericReflection": comparison(0.318, 0.34, -0.011, 0.055, 190, 713, p=0.19),
    "swappedReflection": comparison(0.702, 0.331, -0.42, -0.322, 190, 713),
    "reflectionAgainstShuffled": contrast(0.779, 0.284, 0.45, 0.54),
    "reflectionAgainstPlain": contrast(0.779, 0.381, 0.351, 0.445),
    "reflectionAgainstGeneric": contrast(0.779, 0.34, 0.39, 0.488),
    "reflectionAgainstBase": contrast(0.779, 0.331, 0.4, 0.496),
    "reflectionGivenToBase": contrast(0.702, 0.274, 0.38, 0.476),
    "onTrainPrompts": {
        "firstTry": comparison(0.331, 0.42, 0.05, 0.128, 100, 500),
        "secondTry": comparison(0.51, 0.83, 0.28, 0.36, 100, 500),
        "retrySuccess": comparison(0.27, 0.801, 0.49, 0.572, 90, 334),
    },
    "compared": {
        "uri": "hf://org/larger",
        "firstTry": against(0.552, 0.402, -0.19, -0.11),
        "secondTry": against(0.71, 0.809, 0.06, 0.138),
        "retrySuccess": against(0.43, 0.779, 0.31, 0.388),
    },
    "regression": [
        {
            "task": "hellaswag",
            "metric": "acc_norm",
            "base": 0.612,
            "trained": 0.604,
            "change": -0.008,
            "interval": [-0.021, 0.005],
            "samples": 10042,
            "higherIsBetter": True,
        },
        {
            "task": "wikitext",
            "metric": "word_perplexity",
            "base": 11.9,
            "trained": 12.1,
            "change": 0.2,
            "interval": None,
            "samples": 62,
            "higherIsBetter": False,
        },
    ],
    "reflectionsBase": {"tokens": 5.25, "truncated": 0.01, "leaks": 0.0, "otherScript": 0.0},
    "reflectionsTrained": {"tokens": 4.1, "truncated": 0.0, "leaks": 0.052, "otherScript": 0.013},
    "fixedFailures": 713,
    "tooLong": 3,
    "errorClassesBase": {"correct": 351, "wrong_result": 700, "no_answer": 19},
    "errorClassesTrained": {"correct": 430, "wrong_result": 640},
}


AUDIT = {
    "sample": 200, "flaky": 1, "gold": 180, "goldRefused": 0, "canaries": 199, "canariesAccepted": 2,
}  # fmt: skip
TRAINING = {"failuresPerStep": 16, "method": {"numGenerations": 8}}


def report(text="i should use subtract", **changes):
    transcript = {
        "question": f"make 24 from 8 3 {text}", "failed": "8 + 3", "reason": "wrong_result",
        "baseReflection": text, "baseRetry": "8 - 3", "baseCorrect": False, "baseReason": "wrong_result",
        "trainedReflection": "next time use multiply", "trainedRetry": "8 * 3", "trainedCorrect": True,
        "trainedReason": "correct",
    }  # fmt: skip
    lines = [{"step": float(n), "reward": n / 250, "deadGroupShare": 0.5} for n in range(1, 251)]
    first = Round.model_validate(
        {
            "round": 1,
            "failures": {
                "attempts": 3448,
                "correct": 1259,
                "failures": 2189,
                "reason.wrong_result": 2189,
            },
            "audit": {"figures": AUDIT},
            "training": summarised(lines, TRAINING),
            "evaluation": EvaluationResult.model_validate(RESULT | changes),
            "transcripts": [transcript],
            "costs": [
                {"stage": "rollout", "seconds": 22.04, "tokens": 17240},
                {"stage": "train", "seconds": 192.0, "tokens": 560000},
                {"stage": "evaluate", "seconds": 31.5},
            ],
            "modelUri": "file:///runs/countdown/round-1/train/model",
        }
    )
    return Report(
        name="countdown-tiny",
        namespace="default",
        uri="file:///runs/countdown",
        model={"uri": "file:///models/tiny"},
        task={"prompts": {"uri": "file:///data/train.jsonl"}, "verifier": {"builtin": {"name": "countdown"}}},
        rollout={"attemptsPerPrompt": 4},
        training=TRAINING,
        evaluation={"gates": {"minGain": 0.1}},
        planned_rounds=1,
        rounds=[first],
        versions={"reflect-operator": "0.1.0", "trl": "1.16.0"},
    )


def whole_report(text: str = "i should use subtract", **changes) -> Report:
    """The same with what comes from all transcripts."""
    made = report(text, **changes)
    parts = {
        "outcomes": Outcomes(trained_only=400, base_only=40, both=155, neither=118),
        "phrases_base": [Phrase(text=text, count=193, right=52)],
        "phrases_trained": [Phrase(text="next time use multiply", count=301, right=300)],
    }
    return made.model_copy(update={"rounds": [made.rounds[0].model_copy(update=parts)]})


def with_transcripts(made: Report, rows: list[Transcript]) -> Report:
    """The same report with other transcripts."""
    return made.model_copy(update={"rounds": [made.rounds[0].model_copy(update={"transcripts": rows})]})


def transcript(number: int, text: str = "", *, base: bool = False, trained: bool = True) -> Transcript:
    """One that can be told by its number."""
    return Transcript(
        question=f"question {number} {text}", failed=f"failed {text}",
        reason="no_equation" if number % 10 == 0 else "wrong_result",
        base_reflection=f"base reflects {number} {text}", base_retry=f"base retries {text}", base_correct=base,
        base_reason="correct" if base else "wrong_result", trained_reflection=f"trained reflects {text}",
        trained_retry=f"trained retries {number}", trained_correct=trained,
        trained_reason="correct" if trained else "no_equation",
    )  # fmt: skip
