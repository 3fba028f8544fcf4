"""The report as Markdown. No number stands without an interval or a count beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reflection_api.evaluation import (
    Contrast,
    EvaluationResult,
    ModelContrast,
    PairedComparison,
    RegressionScore,
)

from .answers import answers
from .audited import audited
from .comparisons import Against, against_third, comparisons, contrasts, p_words, whose_part
from .content import Cost, Report, Round, Training, Transcript
from .funnel import funnel
from .safe_text import code, name
from .settings import trained_on, verifier_name

_REASON = "reason."
_TRANSCRIPTS = 20
"""Transcripts that are shown: report.json and index.html have more."""
_FIGURES = {
    "reward": "reward of a reflection",
    "deadGroupShare": "share of dead groups, which teach nothing",
    "reflectionTokens": "length of a reflection in tokens",
    "truncatedShare": "share of reflections cut off",
    "leakShare": "share in which the retry's answer already stands",
    "entropy": "entropy",
    "kl": "KL divergence from the reference",
    "seconds": "seconds of a step",
}
"""What is shown of a training; all of it stands in report.json."""


def render_markdown(report: Report, beside: str = "report") -> str:
    """The report for people. `beside` is the name, without an ending, of the file with everything."""
    return "\n".join(_lines(report, beside)) + "\n"


def _lines(report: Report, beside: str) -> Iterator[str]:
    model, prompts = trained_on(report)
    yield f"# {name(report.name)}"
    yield ""
    yield (
        f"{code(model)} on {code(prompts)}, judged by {name(verifier_name(report.task))}; "
        f"round {report.rounds[-1].round} of {report.planned_rounds}."
    )
    yield ""
    yield "## In short"
    yield ""
    yield from _answers(report)
    yield ""
    for number in report.rounds:
        yield from _round(report, number)
    yield from _made_with(report, beside)


def _answers(report: Report) -> Iterator[str]:
    for answer in answers(report):
        yield _with_quoted(f"- {answer.question} {answer.word}. {answer.text}", answer.quoted)
        yield from (_with_quoted(f"  - {check.word}: {check.text}", check.quoted) for check in answer.checks)


def _with_quoted(line: str, quoted: str) -> str:
    return f"{line} {code(quoted)}" if quoted else line


def _round(report: Report, number: Round) -> Iterator[str]:
    yield f"## Round {number.round}"
    yield ""
    if number.failures:
        yield from _failures(report, number)
    if number.training:
        yield from _training(number.training)
    if number.evaluation:
        yield from _evaluation(number.evaluation)
        yield from _told(number)
    if number.transcripts:
        yield from _transcripts(number.transcripts)
    if number.costs:
        yield from _costs(number.costs)
    if number.model_uri:
        yield f"Trained model: {code(number.model_uri)}"
        yield ""


def _failures(report: Report, number: Round) -> Iterator[str]:
    counts = number.failures
    attempts, failures = counts.get("attempts", 0), counts.get("failures", 0)
    yield f"{attempts:,.0f} answers were judged: {counts.get('correct', 0):,.0f} right, {failures:,.0f} failures to learn from."
    yield ""
    if words := audited(number.audit):
        yield words
        yield ""
    reasons = {key.removeprefix(_REASON): value for key, value in counts.items() if key.startswith(_REASON)}
    if reasons:
        rows = [[name(reason), f"{count:,.0f}"] for reason, count in sorted(reasons.items())]
        yield from _table(["wrong answers by verdict", "count"], rows)
    rows = [
        [
            step.name + (f" ({step.note})" if step.note else ""),
            f"{step.count:,}",
            f"{step.share:.1%}" if step.of else "",
        ]
        for step in funnel(report, number)
    ]
    if rows:
        yield from _table(["what is left", "count", "of those before"], rows)


def _training(training: Training) -> Iterator[str]:
    yield f"### Training ({training.steps:,} steps)"
    yield ""
    window = f"{training.window} step" + ("s" if training.window > 1 else "")
    rows = [
        [words, f"{training.first[figure]:.4g}", f"{training.last[figure]:.4g}"]
        for figure, words in _FIGURES.items()
        if figure in training.first and figure in training.last
    ]
    yield from _table(["mean over the", f"first {window}", f"last {window}"], rows)


def _evaluation(result: EvaluationResult) -> Iterator[str]:
    yield "### Held-out questions"
    yield ""
    rows = [_comparison(label, row) for label, row in comparisons(result)]
    yield from _table(["", "base", "trained", "change [95%]", "paired test", "questions", "samples"], rows)
    if result.compared is not None:
        yield f"Against {code(result.compared.uri)}:"
        yield ""
        rows = [_against(label, row) for label, row in against_third(result.compared)]
        yield from _table(
            ["", "other", "trained", "difference [95%]", "paired test", "questions", "samples"], rows
        )
    if result.regression:
        yield "Elsewhere (lm-eval):"
        yield ""
        rows = [_elsewhere(row) for row in result.regression]
        yield from _table(["", "base", "trained", "change [95%]", "samples"], rows)
    yield from _held_against(
        "The trained model on the fixed failures, with its own reflection or something else in its place:",
        ("its reflection against", "control", "own"),
        contrasts(result),
    )
    yield from _held_against(
        "One model's retries after both models' reflections on the fixed failures:",
        ("after the reflections of", "base", "trained"),
        whose_part(result),
    )
    yield from _classes(result)
    yield from _reflections(result)


def _comparison(label: str, row: PairedComparison) -> list[str]:
    low, high = row.interval
    change = f"{row.change:+.3f} [{low:+.3f}, {high:+.3f}]"
    return [label, f"{row.base:.3f}", f"{row.trained:.3f}", change, *_test(row)]


def _against(label: str, row: ModelContrast) -> list[str]:
    low, high = row.interval
    difference = f"{row.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
    return [
        label,
        f"{row.other:.3f}",
        f"{row.trained:.3f}",
        difference,
        *_test(row),
    ]


def _held_against(about: str, head: Sequence[str], held: Sequence[Against]) -> Iterator[str]:
    if held:
        yield about
        yield ""
        rows = [_contrast(*row) for row in held]
        yield from _table([*head, "difference [95%]", "paired test", "questions", "samples"], rows)


def _contrast(label: str, row: Contrast) -> list[str]:
    low, high = row.interval
    difference = f"{row.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
    return [label, f"{row.control:.3f}", f"{row.reflection:.3f}", difference, *_test(row)]


def _test(row: PairedComparison | ModelContrast | Contrast) -> list[str]:
    return [p_words(row) or "-", f"{row.questions:,}", f"{row.samples:,}"]


def _elsewhere(row: RegressionScore) -> list[str]:
    interval = f" [{row.interval[0]:+.3f}, {row.interval[1]:+.3f}]" if row.interval else ""
    label = f"{name(row.task)}, {name(row.metric)}" + ("" if row.higher_is_better else " (lower is better)")
    return [
        label,
        f"{row.base:.3f}",
        f"{row.trained:.3f}",
        f"{row.change:+.3f}{interval}",
        f"{row.samples:,}",
    ]


def _classes(result: EvaluationResult) -> Iterator[str]:
    base, trained = result.error_classes_base, result.error_classes_trained
    rows = [
        [name(verdict), f"{base.get(verdict, 0):,}", f"{trained.get(verdict, 0):,}"]
        for verdict in sorted(base.keys() | trained.keys())
    ]
    yield from _table(["first answers by verdict", "base", "trained"], rows)


def _other_script(base: float | None, trained: float | None) -> list[list[str]]:
    if base is None or trained is None:
        return []
    return [["letters of a script that the question has none of", f"{base:.1%}", f"{trained:.1%}"]]


def _reflections(result: EvaluationResult) -> Iterator[str]:
    base, trained = result.reflections_base, result.reflections_trained
    if base is None or trained is None:
        return
    rows = [
        ["mean length in tokens", f"{base.tokens:.1f}", f"{trained.tokens:.1f}"],
        ["cut off at the limit", f"{base.truncated:.1%}", f"{trained.truncated:.1%}"],
        ["the retry's answer already stands in it", f"{base.leaks:.1%}", f"{trained.leaks:.1%}"],
        *_other_script(base.other_script, trained.other_script),
    ]
    yield from _table(
        [f"reflections on the {result.fixed_failures:,} fixed failures", "base", "trained"], rows
    )


def _told(number: Round) -> Iterator[str]:
    """What became of the fixed failures, and what was said of them most often."""
    ends = number.outcomes
    if ends.total:
        yield (
            f"Of {ends.total:,} fixed failures {ends.trained_only:,} are learned (right with the trained model alone), "
            f"{ends.both:,} right with both, {ends.neither:,} wrong with both and {ends.base_only:,} lost (right with the base "
            "model alone)."
        )
        yield ""
    for who, phrases in (("base", number.phrases_base), ("trained", number.phrases_trained)):
        if phrases:
            yield f"The most frequent reflections of the {who} model:"
            yield ""
            for row in phrases:
                yield f"- {code(row.text)}: {row.count:,} of {ends.total:,}; {row.right:,} right after it"
            yield ""


def _transcripts(transcripts: Sequence[Transcript]) -> Iterator[str]:
    shown = transcripts[:_TRANSCRIPTS]
    yield f"### {len(shown)} of the fixed failures, drawn by seed"
    yield ""
    for row in shown:
        yield f"- question: {code(row.question)}, failed answer ({name(row.reason)}): {code(row.failed)}"
        yield f"  - base: {code(row.base_reflection)}, then {code(row.base_retry)}: {_right(row.base_correct)}"
        yield f"  - trained: {code(row.trained_reflection)}, then {code(row.trained_retry)}: {_right(row.trained_correct)}"
    yield ""


def _right(correct: bool) -> str:
    return "right" if correct else "wrong"


def _costs(costs: Sequence[Cost]) -> Iterator[str]:
    yield "### Cost"
    yield ""
    rows = [
        [
            cost.stage.value,
            "-" if cost.seconds is None else f"{cost.seconds:,.1f}",
            "-" if cost.tokens is None else f"{cost.tokens:,}",
        ]
        for cost in costs
    ]
    yield from _table(["stage", "seconds of work", "tokens written"], rows)


def _made_with(report: Report, beside: str) -> Iterator[str]:
    yield "## Made with"
    yield ""
    for package, version in sorted(report.versions.items()):
        yield f"- {name(package)} {code(version)}"
    yield ""
    yield f"The settings in full are in {beside}.json beside this file."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table with its first column to the left and numbers to the right."""
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""
