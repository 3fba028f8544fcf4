"""What one model says: first answers, reflections, retries and controls, each judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reflection_api.contract import StageConfig
from reflection_api.items import Item, Verdict
from reflection_api.spec import SamplingSpec

from ..conversation import Conversation, Turn
from ..engines.engine import Completion, Engine
from ..prompts.question import Question
from ..seeds import derived_seed
from ..verify.leak import leaks
from ..verify.verifier import Verifier
from .shuffle import shuffled
from .transcripts import FirstAnswer, Transcript

OnAnswers = Callable[[int], None]
"""Called with the number of answers that are newly generated."""


@dataclass(frozen=True)
class Failure:
    """A wrong first answer."""

    question: Question
    answer: FirstAnswer


class Candidate:
    """One model under evaluation. Every answer has a seed of its own, so a repeated evaluation says the same."""

    def __init__(self, engine: Engine, verifier: Verifier, config: StageConfig, on_answers: OnAnswers) -> None:
        self._engine = engine
        self._verifier = verifier
        self._conversation = Conversation(config.task.templates)
        self._first_sampling = config.rollout.sampling
        self._reflection_sampling = _as_trained(config, config.training.reflection_max_tokens)
        self._retry_sampling = _as_trained(config, config.training.retry_max_tokens)
        self._on_answers = on_answers

    def first_answers(self, questions: Sequence[Question], attempts: int) -> list[FirstAnswer]:
        """`attempts` judged answers to every question."""
        asked = [(question, attempt) for question in questions for attempt in range(attempts)]
        completions = self._generate(
            [question.messages for question, _ in asked], self._first_sampling, "first", [_key(*pair) for pair in asked]
        )
        verdicts = self._judge([question for question, _ in asked], completions)
        return [
            FirstAnswer(question.id, question.text, attempt, completion.text, verdict.correct, verdict.reason)
            for (question, attempt), completion, verdict in zip(asked, completions, verdicts, strict=True)
        ]

    def second_tries(self, failures: Sequence[Failure], *, fixed: bool) -> list[Transcript]:
        """Reflection and retry on every failure; on the fixed ones the controls too."""
        if not failures:
            return []
        prompts = [self._reflection_prompt(failure) for failure in failures]
        reflections = self._sample(prompts, self._reflection_sampling, "reflection", failures)
        retries, retry_verdicts = self._retry(failures, prompts, reflections, "retry")
        if fixed:
            order = shuffled([failure.question.id for failure in failures])
            others = [reflections[index] for index in order]
            crossed, crossed_verdicts = self._retry(failures, prompts, others, "shuffled")
            fresh = self._sample([failure.question.messages for failure in failures], self._first_sampling, "fresh", failures)
            fresh_verdicts = self._judge([failure.question for failure in failures], fresh)
        return [
            Transcript(
                question_id=failure.question.id,
                question=failure.question.text,
                attempt=failure.answer.attempt,
                failed=failure.answer.completion,
                reason=failure.answer.reason,
                fixed=fixed,
                reflection=reflections[row].text,
                reflection_tokens=reflections[row].token_count,
                reflection_truncated=reflections[row].truncated,
                retry=retries[row].text,
                retry_correct=retry_verdicts[row].correct,
                retry_reason=retry_verdicts[row].reason,
                leak=leaks(reflections[row].text, retries[row].text),
                fresh=fresh[row].text if fixed else "",
                fresh_correct=fixed and fresh_verdicts[row].correct,
                shuffled_retry=crossed[row].text if fixed else "",
                shuffled_correct=fixed and crossed_verdicts[row].correct,
            )
            for row, failure in enumerate(failures)
        ]

    def _reflection_prompt(self, failure: Failure) -> list[Turn]:
        return self._conversation.reflection_prompt(
            failure.question.messages, failure.answer.completion, failure.question.row
        )

    def _retry(
        self, failures: Sequence[Failure], prompts: Sequence[list[Turn]], reflections: Sequence[Completion], purpose: str
    ) -> tuple[list[Completion], list[Verdict]]:
        conversations = [
            self._conversation.retry_prompt(prompt, reflection.text, failure.question.row)
            for prompt, reflection, failure in zip(prompts, reflections, failures, strict=True)
        ]
        retries = self._sample(conversations, self._retry_sampling, purpose, failures)
        return retries, self._judge([failure.question for failure in failures], retries)

    def _sample(
        self, conversations: Sequence[list[Turn]], sampling: SamplingSpec, purpose: str, failures: Sequence[Failure]
    ) -> list[Completion]:
        keys = [_key(failure.question, failure.answer.attempt) for failure in failures]
        return self._generate(conversations, sampling, purpose, keys)

    def _generate(
        self, conversations: Sequence[list[Turn]], sampling: SamplingSpec, purpose: str, keys: Sequence[str]
    ) -> list[Completion]:
        seeds = [derived_seed(sampling.seed, "evaluate", purpose, key) for key in keys]
        counted = 0

        def on_done(done: int) -> None:
            nonlocal counted
            self._on_answers(done - counted)
            counted = done

        return self._engine.generate(conversations, sampling, seeds, on_done=on_done)

    def _judge(self, questions: Sequence[Question], completions: Sequence[Completion]) -> list[Verdict]:
        items = [
            Item.model_construct(id=str(row), messages=[], completion=completion.text, row=question.row)
            for row, (question, completion) in enumerate(zip(questions, completions, strict=True))
        ]
        return self._verifier.verify(items)


def _as_trained(config: StageConfig, max_tokens: int) -> SamplingSpec:
    """How reflections and retries are drawn in training."""
    return SamplingSpec(
        temperature=config.training.method.temperature, max_tokens=max_tokens, seed=config.rollout.sampling.seed
    )


def _key(question: Question, attempt: int) -> str:
    return f"{question.id}/{attempt}"
