"""The training curves, drawn by Vega-Lite as SVG when the report is written: the page needs no script to show them.

Colours are the page's CSS variables, so that the charts follow the reader's light or dark setting and the printer's paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

from .content import Training

PLOT = {"left": 44, "top": 8, "width": 280, "height": 120, "right": 12, "bottom": 28}
"""Where the axes lie in the picture, in its own units."""
_VEGA_LITE = "6.4"
_SMOOTHED_BY = 25
"""The thick line is a mean over a twenty-fifth of the steps to each side."""
_PERCENT = ".0%"


@dataclass(frozen=True)
class Series:
    """One line of a chart."""

    figure: str
    """Its name in the metrics."""
    name: str
    color: str


@dataclass(frozen=True)
class Chart:
    """A chart of one or more figures over the steps."""

    title: str
    says: str
    """How to read it."""
    series: tuple[Series, ...]
    axis: str = "~g"
    """Format of the numbers, as d3 names it."""
    share: bool = False
    """Whether all of it lies between 0 and 1."""


_MAIN, _SECOND = "var(--trained)", "var(--second)"
CHARTS = (
    Chart(
        "Reward",
        "Share of reflections after which the retry was right.",
        (Series("reward", "reward", _MAIN),),
        _PERCENT,
        share=True,
    ),
    Chart(
        "Dead groups",
        "Groups that teach nothing: all retries right, or all wrong.",
        (Series("allRightShare", "all right", _MAIN), Series("allWrongShare", "all wrong", _SECOND)),
        _PERCENT,
        share=True,
    ),
    Chart(
        "Length",
        "Tokens of a reflection. A jump is often a trick.",
        (Series("reflectionTokens", "tokens", _MAIN),),
    ),
    Chart(
        "Distance from the base model",
        "KL divergence on the reflections.",
        (Series("kl", "KL", _MAIN),),
    ),
    Chart(
        "Entropy",
        "Near zero, the model says the same each time and learns no more.",
        (Series("entropy", "entropy", _MAIN),),
    ),
    Chart(
        "Warning signs",
        "Reflections that are cut off, and those that the retry's answer already stands in.",
        (Series("truncatedShare", "cut off", _MAIN), Series("leakShare", "answer inside", _SECOND)),
        ".1~%",
    ),
)


def charts(training: Training) -> Iterator[tuple[Chart, str]]:
    """Every chart whose figures were logged, with its SVG."""
    for chart in CHARTS:
        if all(series.figure in training.first and series.figure in training.last for series in chart.series):
            yield chart, _svg(_specification(chart, training.curve))


def _specification(chart: Chart, curve: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    values = [
        {"step": line["step"], "value": line[series.figure], "name": series.name}
        for series in chart.series
        for line in curve
        if series.figure in line
    ]
    scale = {"domain": [0, 1]} if chart.share else {"zero": True}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": PLOT["width"],
        "height": PLOT["height"],
        # Without fitting, the axes lie where PLOT says in every chart: the page moves one cursor over all of them.
        "autosize": {"type": "none"},
        "padding": {side: PLOT[side] for side in ("left", "right", "top", "bottom")},
        "background": None,
        "data": {"values": values},
        "encoding": {
            "x": {
                "field": "step",
                "type": "quantitative",
                "axis": {"title": None, "grid": False, "tickCount": 5, "format": "~s"},
                "scale": {"domain": _ends(curve), "nice": False},
            },
            "color": {
                "field": "name",
                "type": "nominal",
                "legend": None,
                "scale": {
                    "domain": [series.name for series in chart.series],
                    "range": [series.color for series in chart.series],
                },
            },
        },
        "layer": _layers(chart, scale, len(curve)),
        "config": _LOOK,
    }


def _layers(chart: Chart, scale: Mapping[str, Any], points: int) -> list[dict[str, Any]]:
    """The steps as they were, thin, and their moving mean."""
    y = {
        "type": "quantitative",
        "axis": {"title": None, "format": chart.axis, "tickCount": 4},
        "scale": scale,
    }
    each = {"encoding": {"y": {"field": "value", **y}}}
    around = points // _SMOOTHED_BY
    if not around:
        return [{"mark": {"type": "line", "point": True, "strokeWidth": 1.5}, **each}]
    mean = {
        "transform": [
            {
                "window": [{"op": "mean", "field": "value", "as": "mean"}],
                "frame": [-around, around],
                "groupby": ["name"],
            }
        ],
        "mark": {"type": "line", "strokeWidth": 2, "strokeCap": "round"},
        "encoding": {"y": {"field": "mean", **y}},
    }
    return [{"mark": {"type": "line", "strokeWidth": 1, "opacity": 0.3}, **each}, mean]


def _ends(curve: Sequence[Mapping[str, float]]) -> list[float]:
    first, last = curve[0]["step"], curve[-1]["step"]
    return [first, max(last, first + 1)]


_LOOK = {
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "gridColor": "var(--line)",
        "labelColor": "var(--soft)",
        "labelFontSize": 11,
        "labelPadding": 6,
    },
}


def _svg(specification: dict[str, Any]) -> str:
    """The picture; what it says stands beside it in words, so a screen reader passes over it."""
    svg: str = vl_convert.vegalite_to_svg(specification, vl_version=_VEGA_LITE)
    return re.sub(r"^<svg ", '<svg aria-hidden="true" focusable="false" ', svg.strip(), count=1)
