"""The report as one HTML file that loads nothing and runs no word of a model.

Every text goes through `visible` and Jinja's escaping. The page's own style and script are allowed by their hashes in a
Content-Security-Policy, and nothing else is: no network, no other script, no inline style.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .answers import answers
from .audited import audited
from .charts import PLOT, charts
from .comparisons import against_third, comparisons, contrasts, p_words, whose_part
from .content import Report, Round, Transcript
from .funnel import funnel
from .safe_text import visible
from .settings import trained_on, verifier_name

_ASSETS = Path(__file__).parent / "page"
_REASON = "reason."
_INTERVAL = re.compile(r"\[([+-][\d.]+), ([+-][\d.]+)\]")
_WHOLE = 100
"""From here on the digits after the point say nothing."""


def render_html(report: Report, beside: str = "report") -> str:
    """The report for a browser. `beside` is the name, without an ending, of the files with the same numbers."""
    style, script = ((_ASSETS / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            beside=beside,
            answers=list(answers(report)),
            trained_on=trained_on(report),
            verifier=verifier_name(report.task),
            style=style,
            script=script,
            policy=_policy(style, script),
            data=_data(report),
            settings=_settings(report),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    environment.filters |= {
        "short": _short,
        "tied": _tied,
        "signed": lambda value: f"{value:+.3f}",
        "share": lambda value: f"{value:.3f}",
        "count": lambda value: f"{value:,.0f}",
        "figure": _figure,
        "percent": lambda value: f"{value:.1%}",
    }
    environment.globals |= {
        "against_third": against_third,
        "comparisons": comparisons,
        "contrasts": contrasts,
        "p_words": p_words,
        "whose_part": whose_part,
        "audited": audited,
        "funnel": funnel,
        "classes": _classes,
        "wrong_by_verdict": _wrong_by_verdict,
        "charts": charts,
        "plot": PLOT,
    }
    return environment


def _policy(style: str, script: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data(report: Report) -> dict[str, Any]:
    """What the script reads: the transcripts, and the curves for the values under the pointer."""
    return {
        "transcripts": [_transcript(number, row) for number in report.rounds for row in number.transcripts],
        "curves": {number.round: number.training.curve for number in report.rounds if number.training},
        "plot": PLOT,
    }


def _transcript(number: Round, row: Transcript) -> dict[str, Any]:
    values = {
        key: visible(value) if isinstance(value, str) else value for key, value in row.to_dict().items()
    }
    return {"round": number.round, **values}


def _classes(number: Round) -> list[tuple[str, int, int]]:
    """First answers on held-out questions by verdict, base and trained: right ones first, then the most frequent."""
    assert number.evaluation is not None
    base, trained = number.evaluation.error_classes_base, number.evaluation.error_classes_trained
    rows = [(name, base.get(name, 0), trained.get(name, 0)) for name in base.keys() | trained.keys()]
    return sorted(rows, key=lambda row: (row[0] != "correct", -row[1] - row[2], row[0]))


def _wrong_by_verdict(number: Round) -> list[tuple[str, int]]:
    """The wrong answers of the rollout by verdict, most frequent first."""
    found = {
        key.removeprefix(_REASON): value for key, value in number.failures.items() if key.startswith(_REASON)
    }
    return sorted(((name, int(count)) for name, count in found.items()), key=lambda row: (-row[1], row[0]))


def _settings(report: Report) -> list[tuple[str, str]]:
    """The parts of the specification as readable JSON."""
    parts: dict[str, Mapping[str, Any]] = {
        "model": report.model,
        "task": report.task,
        "rollout": report.rollout,
        "training": report.training,
        "evaluation": report.evaluation,
    }
    return [(name, json.dumps(part, indent=2, ensure_ascii=False)) for name, part in parts.items() if part]


def _figure(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:#.3g}"


def _tied(text: str) -> str:
    """A sentence whose intervals do not break at a line's end."""
    return _INTERVAL.sub("[\\1,\u00a0\\2]", text)


def _short(uri: str) -> str:
    """The last two parts of a URI: the whole of it stands among the settings."""
    return "/".join(uri.rstrip("/").split("/")[-2:])
