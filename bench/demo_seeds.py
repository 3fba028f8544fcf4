"""The demo's training with three seeds: mean and spread of what it learns.

    make bench ONLY=demo_seeds              about 15 minutes on two cores
    python bench/demo_seeds.py --page docs/results/demo-seeds.md

Writes build/bench/demo_seeds.json and, with --page, the results page. Finished seeds are not run again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from _demo import run_demo
from _intervals import summary
from _records import aims_table, made_by, metric, write, write_page

FIGURES = {
    "first try": "firstTry",
    "second try (cumulative)": "secondTry",
    "retry after reflection, fixed failures": "retrySuccess",
    "control: fresh try instead": "freshTry",
    "control: reflection on another question": "shuffled",
    "control: asked again, no reflection": "plainRetry",
    "control: a general sentence": "genericReflection",
    "control: the other model's reflection": "swappedReflection",
}
CONTROLS = {
    "a fresh try": "reflectionAgainstFresh",
    "shuffled reflections": "reflectionAgainstShuffled",
    "being asked again": "reflectionAgainstPlain",
    "a general sentence": "reflectionAgainstGeneric",
    "the base model's reflections": "reflectionAgainstBase",
    "the base model's reflections, the base model retrying": "reflectionGivenToBase",
}


def main() -> int:
    """Run the seeds, write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--page", type=Path, help="also write the figures as a Markdown page")
    arguments = parser.parse_args()
    results = [run_demo(f"seed-{seed}", seed=seed) for seed in arguments.seeds]
    record = summarise(arguments.seeds, results)
    write(record["name"], record["metrics"], record["details"])
    if arguments.page:
        write_page(arguments.page, page(record))
    return 0


def summarise(seeds: list[int], results: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures over the seeds, in the shape of every bench file."""
    if len({result["failures"] for result in results}) != 1:
        sys.exit("the seeds trained on different failures: their spread would not be that of the training")
    gains = [result["retrySuccess"]["change"] for result in results]
    bases = [result["retrySuccess"]["base"] for result in results]
    seconds = [result["seconds"] for result in results]
    memory = [result["peakMemoryBytes"] / 1e9 for result in results]
    metrics = [
        metric("retry success gain on fixed failures, mean", statistics.mean(gains), "fraction", ">=", 0.25),
        metric("retry success gain, worst seed", min(gains), "fraction", ">=", 0.25),
        metric("base retry success", min(bases), "fraction", ">=", 0.2),
        metric("seconds, slowest seed", max(seconds), "s", "<=", 900),
        metric("peak memory", max(memory), "GB", "<=", 6),
    ]
    for name, key in CONTROLS.items():
        low = min(result[key]["interval"][0] for result in results)
        metrics.append(
            metric(f"reflection minus {name}, lowest end of a seed's interval", low, "fraction", ">", 0)
        )
    return {
        "name": "demo_seeds",
        "metrics": metrics,
        "details": {
            "seeds": seeds,
            "figures": {name: spread([result[key] for result in results]) for name, key in FIGURES.items()},
            "results": results,
        },
    }


def spread(comparisons: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean of base, trained and change over the seeds, and the 95% interval of the mean change."""
    changes = [comparison["change"] for comparison in comparisons]
    found = summary(changes)
    return {
        "base": statistics.mean(comparison["base"] for comparison in comparisons),
        "trained": statistics.mean(comparison["trained"] for comparison in comparisons),
        "change": found["mean"],
        "interval": found["interval"],
        "changes": changes,
    }


def page(record: dict[str, Any]) -> str:
    """The results page."""
    details = record["details"]
    lines = [
        "# The demo with three seeds",
        "",
        made_by("python bench/demo_seeds.py --page docs/results/demo-seeds.md"),
        f"Seeds {', '.join(map(str, details['seeds']))} of the training; all share the base model and the failures.",
        "Another kind of processor adds up in another order, and ends a little beside these figures.",
        "",
        "## Held-out questions",
        "",
        "| | base | trained | mean change [95% over seeds] | each seed |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, row in details["figures"].items():
        low, high = row["interval"]
        each = ", ".join(f"{change:+.3f}" for change in row["changes"])
        lines.append(
            f"| {name} | {row['base']:.3f} | {row['trained']:.3f} | {row['change']:+.3f} [{low:+.3f}, {high:+.3f}] | {each} |"
        )
    lines += ["", "## Aims", "", *aims_table(record["metrics"])]
    lines += ["", "## Time and memory", "", "| seed | seconds | peak memory |", "|---|---:|---:|"]
    for result in details["results"]:
        lines.append(
            f"| {result['seeds'][0]} | {result['seconds']:.0f} | {result['peakMemoryBytes'] / 1e9:.2f} GB |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
