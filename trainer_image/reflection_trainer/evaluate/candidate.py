"""What one model says: first answers, reflections, retries and controls, each judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reflection_api.items import Item, Message
from reflection_api.spec import SamplingSpec

from ..conversation import Conversation, Turn
from ..engines import Completion, ConversationTooLong, Engine
from ..engines.chat import prompt_ids
from ..seeds import derived_seed
from ..verify.leak import leaks
from .controls import GENERIC, PLAIN, Controls, Judged, tokens_without_reflection
from .shuffle import shuffled
from .transcripts import TOO_LONG, FirstAnswer, Transcript

if TYPE_CHECKING:
    from reflection_api.contract import StageConfig

    from ..prompts import Question
    from ..verify.verifier import Verifier

OnAnswers = Callable[[int], None]
"""Called with the number of answers that are newly there."""


class Ask(NamedTuple):
    """A conversation to be continued, and which attempt at which question it belongs to."""

    question: Question
    attempt: int
    turns: list[Turn]


@dataclass(frozen=True, slots=True)
class Failure:
    """A wrong first answer."""

    question: Question
    answer: FirstAnswer

    def ask(self, turns: list[Turn]) -> Ask:
        """A conversation about it."""
        return Ask(self.question, self.answer.attempt, turns)


class Candidate:
    """One model under evaluation. Every answer has a seed of its own, so a repeated evaluation says the same."""

    def __init__(
        self, engine: Engine, verifier: Verifier, config: StageConfig, on_answers: OnAnswers
    ) -> None:
        self._engine = engine
        self._verifier = verifier
        self._conversation = Conversation(config.task.templates)
        self._attempts = config.evaluation.attempts_per_prompt
        self._general_sentence = config.evaluation.generic_reflection
        self._first_sampling = config.rollout.sampling
        self._reflection_sampling = _as_trained(config, config.training.reflection_max_tokens)
        self._retry_sampling = _as_trained(config, config.training.retry_max_tokens)
        both = tokens_without_reflection(config)
        self._plain_sampling = _as_trained(config, both)
        self._fresh_sampling = self._first_sampling.model_copy(update={"max_tokens": both})
        self._controls = frozenset(config.evaluation.controls)
        self._on_answers = on_answers

    def first_answers(self, questions: Sequence[Question]) -> list[FirstAnswer]:
        """Judged answers to every question, as many as `spec.evaluation.attemptsPerPrompt` says."""
        asks = [
            Ask(question, attempt, question.messages)
            for question in questions
            for attempt in range(self._attempts)
        ]
        judged = self._judged(asks, self._answers("first", asks, self._first_sampling))
        return [
            FirstAnswer(
                ask.question.id, ask.question.text, ask.attempt, answer.text, answer.correct, answer.reason
            )
            for ask, answer in zip(asks, judged, strict=True)
        ]

    def second_tries(
        self, failures: Sequence[Failure], *, fixed: bool, others: Sequence[str | None] | None = None
    ) -> list[Transcript]:
        """Reflection and retry on every failure; on the fixed set the controls, too.

        Args:
            failures: wrong answers.
            fixed: whether they are the fixed set.
            others: another model's reflection on each of them, for the control that swaps them.
        """
        asks = [failure.ask(self._reflection_prompt(failure)) for failure in failures]
        reflections = self._answers("reflection", asks, self._reflection_sampling)
        retries = self._retries("retry", asks, _texts(reflections))
        controls = [Controls()] * len(failures)
        if fixed:
            controls = self._fixed_controls(failures, asks, reflections, others)
        given_away = [
            reflection is not None and leaks(reflection.text, retry.text, self._verifier)
            for reflection, retry in zip(reflections, retries, strict=True)
        ]
        rows = zip(failures, reflections, retries, given_away, controls, strict=True)
        return [_transcript(*row, fixed=fixed) for row in rows]

    def retries_after(self, failures: Sequence[Failure], others: Sequence[str | None]) -> list[Judged]:
        """Retries after another model's reflections."""
        asks = [failure.ask(self._reflection_prompt(failure)) for failure in failures]
        return self._retries("swapped", asks, others)

    def _fixed_controls(
        self,
        failures: Sequence[Failure],
        asks: Sequence[Ask],
        reflections: Sequence[Completion | None],
        others: Sequence[str | None] | None,
    ) -> list[Controls]:
        columns: dict[str, Sequence[Judged | None]] = {
            "fresh": self._fresh(failures),
            "shuffled": self._crossed(asks, reflections),
        }
        if PLAIN in self._controls:
            columns["plain"] = _made(self._plain(failures))
        if GENERIC in self._controls:
            generic = [self._general_sentence] * len(asks)
            columns["generic"] = _made(self._retries("generic", asks, generic))
        if others is not None:
            columns["swapped"] = _made(self._retries("swapped", asks, others))
        return [
            Controls(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)
        ]

    def _reflection_prompt(self, failure: Failure) -> list[Turn]:
        question = failure.question
        return self._conversation.reflection_prompt(
            question.messages, failure.answer.completion, question.row
        )

    def _fresh(self, failures: Sequence[Failure]) -> list[Judged]:
        """New answers to the failures' questions, as long as reflection and retry together where the context has room."""
        asks = [failure.ask(failure.question.messages) for failure in failures]
        rows_of: dict[int, list[int]] = defaultdict(list)
        for row, ask in enumerate(asks):
            rows_of[min(self._fresh_sampling.max_tokens, self._room(ask))].append(row)
        answers: dict[int, Completion | None] = {}
        for limit, rows in rows_of.items():
            sampling = self._fresh_sampling.model_copy(update={"max_tokens": limit})
            made = self._answers("fresh", [asks[row] for row in rows], sampling)
            answers |= zip(rows, made, strict=True)
        return self._judged(asks, [answers[row] for row in range(len(asks))])

    def _plain(self, failures: Sequence[Failure]) -> list[Judged]:
        """Answers to the questions put again at once."""
        conversation = self._conversation.plain_retry_prompt
        asks = [
            failure.ask(
                conversation(failure.question.messages, failure.answer.completion, failure.question.row)
            )
            for failure in failures
        ]
        return self._judged(asks, self._answers("plain", asks, self._plain_sampling))

    def _crossed(self, asks: Sequence[Ask], reflections: Sequence[Completion | None]) -> list[Judged | None]:
        """Retries after reflections on other questions; None where there is none."""
        givers = shuffled([ask.question.id for ask in asks])
        others = [None if giver is None else reflections[giver] for giver in givers]
        retries = self._retries("shuffled", asks, _texts(others))
        return [None if other is None else retry for other, retry in zip(others, retries, strict=True)]

    def _retries(self, purpose: str, asks: Sequence[Ask], reflections: Sequence[str | None]) -> list[Judged]:
        """Judged retries; wrong where there is no reflection to go on from."""
        again = [
            None
            if reflection is None
            else ask._replace(turns=self._conversation.retry_prompt(ask.turns, reflection, ask.question.row))
            for ask, reflection in zip(asks, reflections, strict=True)
        ]
        return self._judged(asks, self._answers(purpose, again, self._retry_sampling))

    def _answers(
        self, purpose: str, asks: Sequence[Ask | None], sampling: SamplingSpec
    ) -> list[Completion | None]:
        """One answer to each; None where nothing is asked or the conversation leaves no room for an answer."""
        real = {row: ask for row, ask in enumerate(asks) if ask is not None}
        try:
            answers = self._generated(purpose, real, sampling)
        except ConversationTooLong:  # raised before anything is generated
            fitting = {row: ask for row, ask in real.items() if self._fits(ask, sampling)}
            answers = self._generated(purpose, fitting, sampling)
        self._on_answers(len(asks) - len(answers))
        return [answers.get(row) for row in range(len(asks))]

    def _generated(
        self, purpose: str, asks: Mapping[int, Ask], sampling: SamplingSpec
    ) -> dict[int, Completion]:
        counted = 0

        def on_done(done: int) -> None:
            nonlocal counted
            self._on_answers(done - counted)
            counted = done

        completions = self._engine.generate(
            [ask.turns for ask in asks.values()],
            sampling,
            [
                derived_seed(sampling.seed, "evaluate", purpose, ask.question.id, ask.attempt)
                for ask in asks.values()
            ],
            on_done=on_done,
        )
        return dict(zip(asks, completions, strict=True))

    def _fits(self, ask: Ask, sampling: SamplingSpec) -> bool:
        return sampling.max_tokens <= self._room(ask)

    def _room(self, ask: Ask) -> int:
        """Tokens that the context leaves for an answer."""
        return self._engine.context_length - len(prompt_ids(self._engine.tokenizer, ask.turns))

    def _judged(self, asks: Sequence[Ask], answers: Sequence[Completion | None]) -> list[Judged]:
        items = [
            _item(row, ask.question, answer.text)
            for row, (ask, answer) in enumerate(zip(asks, answers, strict=True))
            if answer is not None
        ]
        verdicts = {verdict.id: verdict for verdict in self._verifier.verify(items)}
        return [
            Judged("", correct=False, reason=TOO_LONG)
            if answer is None
            else Judged(answer.text, verdicts[str(row)].correct, verdicts[str(row)].reason)
            for row, answer in enumerate(answers)
        ]


def _as_trained(config: StageConfig, max_tokens: int) -> SamplingSpec:
    """How reflections and retries are drawn in training."""
    return SamplingSpec(
        temperature=config.training.method.temperature,
        max_tokens=max_tokens,
        seed=config.rollout.sampling.seed,
    )


def _item(row: int, question: Question, completion: str) -> Item:
    messages = [Message.model_validate(turn) for turn in question.messages]
    return Item(id=str(row), messages=messages, completion=completion, row=question.row)


def _made(answers: Sequence[Judged]) -> list[Judged | None]:
    """Without those for which there was no room: a control that could not be made says nothing against a reflection."""
    return [None if answer.reason == TOO_LONG else answer for answer in answers]


def _texts(completions: Sequence[Completion | None]) -> list[str | None]:
    return [None if completion is None else completion.text for completion in completions]


def _transcript(
    failure: Failure,
    reflection: Completion | None,
    retry: Judged,
    leak: bool,
    controls: Controls,
    *,
    fixed: bool,
) -> Transcript:
    answer = failure.answer
    fresh, shuffled_, plain = controls.fresh, controls.shuffled, controls.plain
    generic, swapped = controls.generic, controls.swapped
    return Transcript(
        question_id=answer.question_id,
        question=answer.question,
        attempt=answer.attempt,
        failed=answer.completion,
        reason=answer.reason,
        fixed=fixed,
        reflection=reflection.text if reflection else "",
        reflection_tokens=reflection.token_count if reflection else 0,
        reflection_truncated=reflection is not None and reflection.truncated,
        retry=retry.text,
        retry_correct=retry.correct,
        retry_reason=retry.reason,
        leak=leak,
        fresh=fresh.text if fresh else None,
        fresh_correct=fresh.correct if fresh else None,
        shuffled_retry=shuffled_.text if shuffled_ else None,
        shuffled_correct=shuffled_.correct if shuffled_ else None,
        plain=plain.text if plain else None,
        plain_correct=plain.correct if plain else None,
        generic_retry=generic.text if generic else None,
        generic_correct=generic.correct if generic else None,
        swapped_retry=swapped.text if swapped else None,
        swapped_correct=swapped.correct if swapped else None,
    )
