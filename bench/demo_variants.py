"""The demo's learning with two processes, with LoRA, and with vLLM inside the training.

    make bench ONLY=demo_variants           about 25 minutes on two cores
    python bench/demo_variants.py --page docs/results/demo-variants.md

Writes build/bench/demo_variants.json and, with --page, the results page. Finished variants are not run again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from _demo import run_demo
from _records import aims_table, made_by, metric, write, write_page

VARIANTS: dict[str, dict[str, object]] = {
    "one process": {},
    "two processes": {"spec.training.processesPerNode": 2, "spec.training.microBatchSize": 64},
    "LoRA": {
        "spec.training.lora.rank": 16,
        "spec.training.lora.alpha": 32,
        "spec.training.learningRate": 2.0e-3,
    },
    "colocate": {"spec.training.generation": "colocate"},
}
FIGURES = {
    "retrySuccess": "retry after reflection, fixed failures",
    "secondTry": "second try (cumulative)",
    "firstTry": "first try",
}


def main() -> int:
    """Run the variants, write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=VARIANTS, nargs="+", default=list(VARIANTS))
    parser.add_argument("--page", type=Path, help="also write the figures as a Markdown page")
    arguments = parser.parse_args()
    results = {
        name: run_demo(name.replace(" ", "-").lower(), settings=VARIANTS[name]) for name in arguments.only
    }
    metrics = figures(results)
    write("demo_variants", metrics, {"settings": VARIANTS, "results": results})
    if arguments.page:
        write_page(arguments.page, page(results, metrics))
    return 0


def figures(results: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What each variant learned, with its aims."""
    # The settings are those of the training alone: what it trains on was sampled and judged before.
    if len({result["failures"] for result in results.values()}) != 1:
        sys.exit("the variants trained on different failures: what sets them apart would not be the training")
    return [
        figure
        for name, result in results.items()
        for figure in (
            metric(f"{name}: retry success gain", result["retrySuccess"]["change"], "fraction", ">=", 0.25),
            metric(
                f"{name}: reflection minus fresh try, low end",
                result["reflectionAgainstFresh"]["interval"][0],
                "fraction",
                ">",
                0,
            ),
        )
    ]


def page(results: dict[str, dict[str, Any]], metrics: list[dict[str, Any]]) -> str:
    """The results page."""
    lines = [
        "# The demo in other ways",
        "",
        made_by("python bench/demo_variants.py --page docs/results/demo-variants.md"),
        "All share the base model, the failures and the seed.",
        "",
        "| | settings |",
        "|---|---|",
        *(f"| {name} | {_settings(name)} |" for name in results),
        "",
        "## Held-out questions",
        "",
        "| | | base | trained | change [95%] |",
        "|---|---|---:|---:|---:|",
    ]
    for name, result in results.items():
        for key, words in FIGURES.items():
            row = result[key]
            low, high = row["interval"]
            change = f"{row['change']:+.3f} [{low:+.3f}, {high:+.3f}]"
            lines.append(f"| {name} | {words} | {row['base']:.3f} | {row['trained']:.3f} | {change} |")
    lines += ["", "## Aims", "", *aims_table(metrics)]
    lines += ["", "## Time and memory", "", "| | seconds | peak memory |", "|---|---:|---:|"]
    for name, result in results.items():
        lines.append(f"| {name} | {result['seconds']:.0f} | {result['peakMemoryBytes'] / 1e9:.2f} GB |")
    return "\n".join(lines) + "\n"


def _settings(name: str) -> str:
    return ", ".join(f"`{path}: {value}`" for path, value in VARIANTS[name].items()) or "those of the example"


if __name__ == "__main__":
    sys.exit(main())
