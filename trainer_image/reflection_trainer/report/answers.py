"""The report's first lines: did it learn, did it forget, can I trust it, what did it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reflection_api.evaluation import Contrast, EvaluationResult, Paired, PairedComparison

from .audited import audited
from .comparisons import contrasts, p_words
from .content import Cost, Report, Round

_HOUR = 3600.0


class Tone(StrEnum):
    """How an answer should be taken."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    """Neither: not measurable, or no judgement."""


@dataclass(frozen=True)
class Check:
    """One reason to trust the figures, or not to."""

    tone: Tone
    text: str
    quoted: str = ""
    """What follows in the words of others."""

    @property
    def word(self) -> str:
        """The tone in a word."""
        return {Tone.GOOD: "yes", Tone.BAD: "no", Tone.OPEN: "note"}[self.tone]


@dataclass(frozen=True)
class Answer:
    """A question and its answer."""

    question: str
    word: str
    """The answer in a few words."""
    tone: Tone
    text: str
    """The answer in a sentence, with its figures."""
    quoted: str = ""
    """What follows in the words of others."""
    comparison: PairedComparison | None = None
    """The figures, where they can be drawn."""
    checks: tuple[Check, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()
    """What a sum is made of, by name."""


_ONE_TRAINING = Check(
    Tone.OPEN,
    "This is one training: the intervals cover the choice of questions, not the luck of another seed.",
)


def answers(report: Report) -> Iterator[Answer]:
    """The answers, from the newest round that was evaluated."""
    final = report.final
    if final is None or final.evaluation is None:
        yield _without_evaluation(report.rounds[-1])
    else:
        result = final.evaluation
        yield _learned(result)
        yield _forgot(result)
        yield _trust(report, final, result)
    cost = _cost(report)
    if cost:
        yield cost


def _without_evaluation(last: Round) -> Answer:
    fault = _fault(last)
    word = (
        "No, the verifier is unsound"
        if fault
        else "Nothing to learn"
        if _without_failures(last)
        else "Not known"
    )
    return Answer("Did it learn?", word, Tone.BAD if fault else Tone.OPEN, _unfinished(last), fault)


def _fault(last: Round) -> str:
    """What the verifier did, where it failed its audit."""
    return (last.audit.fault if last.audit else None) or ""


def _without_failures(last: Round) -> bool:
    return last.failures.get("attempts", 0) > 0 and last.failures.get("failures") == 0


def _unfinished(last: Round) -> str:
    if _fault(last):
        words = "The verifier failed its audit (VerifierUnsound), so nothing was learnt from its verdicts."
        return f"{words} {audited(last.audit)}".rstrip()
    if _without_failures(last):
        return (
            f"Nothing to learn (NoFailures): all {last.failures['attempts']:,.0f} answers were right. "
            "Use harder prompts if the model should learn more."
        )
    return "There is no evaluation: the run has not come so far, or ended before it."


def _learned(result: EvaluationResult) -> Answer:
    row = result.second_try
    word, tone = _direction(row, rose=("Yes", Tone.GOOD), fell=("No, it fell", Tone.BAD))
    return Answer("Did it learn?", word, tone, _sentence(row, "The second try"), comparison=row)


def _forgot(result: EvaluationResult) -> Answer:
    row = result.first_try
    word, tone = _direction(row, rose=("No, it rose", Tone.GOOD), fell=("Yes, it fell", Tone.BAD))
    return Answer("Did it forget?", word, tone, _sentence(row, "The first try"), comparison=row)


def _direction(row: PairedComparison, *, rose: tuple[str, Tone], fell: tuple[str, Tone]) -> tuple[str, Tone]:
    low, high = row.interval
    if low > 0:
        return rose
    return fell if high < 0 else ("Not measurably", Tone.OPEN)


def _sentence(row: PairedComparison, what: str) -> str:
    low, high = row.interval
    word = "rose" if low > 0 else "fell" if high < 0 else "did not change measurably"
    return (
        f"{what} {word}: {row.base:.3f} to {row.trained:.3f}, {row.change:+.3f} "
        f"[{low:+.3f}, {high:+.3f}] on {row.questions:,} questions{_test(row)}."
    )


def _difference(row: Contrast) -> str:
    low, high = row.interval
    return f"{row.difference:+.3f} [{low:+.3f}, {high:+.3f}] (n = {row.samples:,}{_test(row)})"


def _test(row: Paired) -> str:
    words = p_words(row)
    return f", {words}" if words else ""


def _trust(report: Report, final: Round, result: EvaluationResult) -> Answer:
    checks = (
        *_controls(result),
        *_given_to_base(result),
        *_caveats(result),
        *_gates(report, final),
        _ONE_TRAINING,
    )
    if not contrasts(result):
        word, tone = "Not shown", Tone.OPEN
        text = "There were no failures to reflect on, so nothing shows that the reflections did it."
    elif any(check.tone is not Tone.GOOD for check in _controls(result)):
        word, tone = "Not shown", Tone.BAD
        text = "Not every control is beaten, so the reflections may not be what helped."
    else:
        word, tone = "Yes, every control is beaten", Tone.GOOD
        text = "The trained model's own reflections beat every control on the same failed answers."
    last = report.rounds[-1]
    if last is not final:
        about = f"These are the figures of round {final.round}. Round {last.round}: {_unfinished(last)}"
        checks = (*checks, Check(Tone.OPEN, about, _fault(last)))
    return Answer("Can I trust it?", word, tone, text, checks=checks)


def _controls(result: EvaluationResult) -> Iterator[Check]:
    for name, contrast in contrasts(result):
        better = contrast.interval[0] > 0
        words = "Better than" if better else "Not shown to be better than"
        yield Check(
            Tone.GOOD if better else Tone.BAD,
            f"{words} {name}: {_difference(contrast)}.",
        )
    if result.retry_success is not None and result.shuffled is None:
        yield Check(Tone.OPEN, "There was no other question to shuffle reflections with.")
    yield from _without_leaks(result)


def _without_leaks(result: EvaluationResult) -> Iterator[Check]:
    """A reflection that says the answer beats every control above, and has done no more than a first try does."""
    row, trained = result.without_leaks, result.reflections_trained
    if row is None or trained is None or not trained.leaks:
        return
    low, high = row.interval
    words = "Retries gain also" if low > 0 else "Retries are not shown to gain"
    yield Check(
        Tone.GOOD if low > 0 else Tone.BAD,
        f"{words} where answers that the reflection gave away count as wrong: {row.change:+.3f} [{low:+.3f}, {high:+.3f}] "
        f"(n = {row.samples:,}{_test(row)}).",
    )


def _given_to_base(result: EvaluationResult) -> Iterator[Check]:
    """No control: reflections that help only the model that was trained with them have still helped it."""
    given = result.reflection_given_to_base
    if given is not None:
        helped = given.interval[0] > 0
        words = "The base model, too, retries" if helped else "The base model is not shown to retry"
        yield Check(
            Tone.GOOD if helped else Tone.OPEN,
            f"{words} better after the trained model's reflections than after its own: {_difference(given)}.",
        )


def _caveats(result: EvaluationResult) -> Iterator[Check]:
    base, trained = result.reflections_base, result.reflections_trained
    if base and trained:
        yield Check(
            Tone.OPEN,
            f"The retry's answer already stood in {trained.leaks:.1%} of the trained model's reflections, {base.leaks:.1%} "
            f"of the base model's (n = {result.fixed_failures:,}).",
        )
    if result.too_long:
        yield Check(
            Tone.OPEN,
            f"{result.too_long:,} second tries had no room in the model's context and count as wrong: lower "
            "maxTokens, reflectionMaxTokens or retryMaxTokens.",
        )


def _gates(report: Report, final: Round) -> Iterator[Check]:
    if final.missed_gates:
        yield Check(Tone.BAD, f"Gates: {'; '.join(final.missed_gates)} (GateFailed).")
    elif report.evaluation.get("gates"):
        yield Check(Tone.GOOD, "Gates: all met.")


def _cost(report: Report) -> Answer | None:
    costs = [cost for number in report.rounds for cost in number.costs]
    seconds = sum(cost.seconds or 0.0 for cost in costs)
    tokens = sum(cost.tokens or 0 for cost in costs)
    gpu_hours = sum((cost.seconds or 0.0) * cost.gpus for cost in costs) / _HOUR
    stages = dict.fromkeys(cost.stage.value for cost in costs if cost.seconds is not None)
    if not stages and not tokens:
        return None
    work = f"{seconds:,.0f} s of {', '.join(stages)}; " if stages else ""
    gpus = f"{gpu_hours:,.2f} GPU-hours; " if gpu_hours else ""
    word = (
        f"{gpu_hours:,.2f} GPU-hours" if gpu_hours else _duration(seconds) if stages else f"{tokens:,} tokens"
    )
    text = f"{work}{gpus}{tokens:,} tokens written."
    return Answer("What did it cost?", word, Tone.OPEN, text, parts=tuple(_parts(costs)))


def _parts(costs: Sequence[Cost]) -> Iterator[tuple[str, str]]:
    """The stages, each over all rounds."""
    for stage in dict.fromkeys(cost.stage for cost in costs):
        seconds = [cost.seconds for cost in costs if cost.stage is stage and cost.seconds is not None]
        tokens = [cost.tokens for cost in costs if cost.stage is stage and cost.tokens is not None]
        said = [f"{sum(seconds):,.1f} s"] * bool(seconds) + [f"{sum(tokens):,} tokens"] * bool(tokens)
        yield stage.value, ", ".join(said) or "not measured"


def _duration(seconds: float) -> str:
    if seconds < 2 * 60:
        return f"{seconds:,.0f} s of work"
    return f"{seconds / 60:,.0f} min of work" if seconds < 2 * _HOUR else f"{seconds / _HOUR:,.1f} h of work"
